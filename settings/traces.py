"""Where traces go, and of how many deliveries: `[traces]` (docs/observe.md)."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from settings.table import Table


class Traces(Table):
    """`endpoint` takes OTLP over HTTP, with its path: `http://127.0.0.1:4318/v1/traces`; without one there are none.

    `sample` is the share of deliveries that are traced, 0 to 1.
    """

    endpoint: str = ""
    sample: Annotated[float, Field(ge=0, le=1)] = 0.1

    @property
    def on(self) -> bool:
        """Whether anything is traced."""
        return bool(self.endpoint) and self.sample > 0

    @field_validator("endpoint")
    @classmethod
    def _is_address(cls, endpoint: str) -> str:
        parts = urlsplit(endpoint)
        if endpoint and (parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc):
            raise ValueError("must be an http:// or https:// address without user name, with its path")
        return endpoint
