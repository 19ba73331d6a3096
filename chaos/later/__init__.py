"""What a deploy in the middle of a chaos run adds; rolling back removes it again."""
