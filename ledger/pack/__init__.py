"""The auditor's pack: entries in one archive with all that it takes to check them without us."""
