"""What every table of the configuration is: frozen, without unknown keys, and its errors never show what was given."""

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """A table of the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
