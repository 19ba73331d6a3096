"""What `./hookledger rules …` does: list, report, test."""
