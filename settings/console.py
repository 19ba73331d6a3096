"""The pages for people: `[query.console]`."""

from typing import Annotated

from pydantic import Field, field_validator

from settings.table import Table

_Seconds = Annotated[float, Field(ge=60, le=86_400, allow_inf_nan=False)]


class Console(Table):
    """Times are seconds. idle: without a page, after which one has to sign in again. longest: of one session.

    temporal_ui: where browsers find the Temporal UI, such as https://temporal.example.com; left out: no links to it.
    """

    idle: _Seconds = 1800
    longest: _Seconds = 28_800
    temporal_ui: str = ""

    @field_validator("temporal_ui")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        if url and not url.startswith(("https://", "http://")):
            raise ValueError("must begin with https:// or http://")
        return url.rstrip("/")
