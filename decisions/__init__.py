"""What CEL cannot say: one file per decision, each a Python function that a rule names with `python = "…"`."""

from rules.decision import DecisionTools, decision
from rules.expressions import Asked

__all__ = ["Asked", "DecisionTools", "decision"]
