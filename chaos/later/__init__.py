"""What a deploy in the middle of a chaos run adds; the next one removes it again."""
