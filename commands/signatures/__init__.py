"""What each command takes on its line; what it does is imported when it is called, so that --help is quick.

A new command goes into the file of its panel; one that needs `api` or `dev` goes into cli.py, which may know them.
"""
