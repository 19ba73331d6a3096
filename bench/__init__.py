"""What is measured, with the bare references it is measured against."""
