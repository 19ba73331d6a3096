"""A CEL condition over a delivery, compiled when its activity is declared."""

from functools import cached_property
from typing import Any

from cel_expr_python import cel

_VARIABLES = {
    "request": cel.Type.DYN,
    "user": cel.Type.DYN,
    "tenant": cel.Type.STRING,
    "hook": cel.Type.STRING,
}


class Condition:
    """`Condition('request.isSuccess').holds(...)`. Raises ValueError, naming the place, if it does not compile."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._environment = cel.NewEnv(variables=_VARIABLES)
            self._expression = self._environment.compile(text)
        except Exception as wrong:
            raise ValueError(f"condition {text!r}: {wrong}") from None

    def holds(self, request: dict[str, Any], tenant: str, hook: str) -> bool:
        """True only if the condition says so: a missing attribute or a wrong type is no."""
        data = {"request": request, "user": request.get("user", {}), "tenant": tenant, "hook": hook}
        try:
            return self._expression.eval(data=data).value() is True
        except Exception:
            return False

    @cached_property
    def names(self) -> str:
        """The text, for lists."""
        return self.text
