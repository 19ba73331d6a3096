"""What the operators' and developers' commands do; cli.py and signatures/ name them and their options."""
