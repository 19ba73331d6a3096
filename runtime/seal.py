"""The sealer's long-lived run."""

from runtime.long_lived import LongLived
from workflows.seal import NAME, SUMMARY

SEAL = LongLived(NAME, "seal", SUMMARY)
