"""What holds the project's shape."""
