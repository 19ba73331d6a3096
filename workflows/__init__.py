"""What happens, in order: one workflow per user's lifecycle."""
