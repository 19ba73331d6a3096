"""What the operators' and developers' commands do; cli.py names them and their options."""
