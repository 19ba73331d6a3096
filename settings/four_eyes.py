"""Deeds for which a tenant may want a second person."""

from typing import Literal

FourEyes = Literal["bulk redrive", "erase", "brake release"]
