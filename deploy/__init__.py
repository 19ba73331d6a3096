"""What the compose stack runs besides the commands: its namespace job and its health checks."""
