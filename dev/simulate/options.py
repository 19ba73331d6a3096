"""What a run of the simulator is told to do, checked before the first hook."""

import base64
import binascii
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

Story = Literal["joiner", "mover", "leaver", "rehire"]
Shape = Literal["data", "data+error", "echo"]

STORIES: tuple[Story, ...] = get_args(Story)
SHAPES: tuple[Shape, ...] = get_args(Shape)
MOST_USERS = 9_000
SEEDS = 200_000
"""Each seed owns 20,000 of the four billion Indian mobiles (people.py): 200,000 seeds never meet."""


class OptionsError(ValueError):
    """An option that cannot be played; the text says which and what to give instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One run. Times in seconds, rates in 0..1 per hook. Raises OptionsError."""

    secret: bytes = field(repr=False)
    url: str = "http://127.0.0.1:8080/webhook"
    ca: Path | None = None
    tenant: str = "as100"
    token_life: int = 60
    users: int = 20
    concurrency: int = 8
    """Users whose stories are told at the same time."""
    tempo: float = 0.0
    """Mean pause between one user's hooks; with `tempo_max`, the shortest one."""
    tempo_max: float | None = None
    seed: int
    stories: tuple[Story, ...] = STORIES
    duplicates: float = 0.0
    reorder: float = 0.0
    bad_bodies: float = 0.0
    record: Path | None = None
    keep_trying: bool = False
    deadline: float = 2.0
    """An answer that takes longer breaks the contract (part A); 0 for no limit."""
    timeout: float = 10.0
    """After this the platform of this run hangs up."""
    answer_shape: Shape = "data"
    """What a passed validate answers: the tenant's `answer_shape`."""
    shadow: bool = False
    """The tenant's rules are in shadow: nobody is refused, two rivals for one mobile both pass."""

    def __post_init__(self) -> None:
        _need(bool(self.secret), "the secret is empty")
        address = urlsplit(self.url)
        _need(
            address.scheme in {"http", "https"} and bool(address.hostname),
            "--url: must be like http://127.0.0.1:8080/webhook",
        )
        _need(1 <= self.users <= MOST_USERS, f"--users: must be 1 to {MOST_USERS}")
        _need(self.concurrency >= 1, "--concurrency: must be at least 1")
        _need(0 <= self.seed < SEEDS, f"--seed: must be 0 to {SEEDS - 1}")
        _need(_finite(self.tempo), "--tempo: must be 0 or more seconds")
        _need(
            self.tempo_max is None or (_finite(self.tempo_max) and self.tempo_max >= self.tempo),
            "--tempo-max: must not be below --tempo",
        )
        _need(bool(self.stories), f"--stories: must name some of {', '.join(STORIES)}")
        for name in ("duplicates", "reorder", "bad_bodies"):
            rate: float = getattr(self, name)
            _need(0 <= rate <= 1, f"--{name.replace('_', '-')}: must be a rate from 0 to 1")
        _need(_finite(self.deadline), "--deadline: must be 0 or more seconds")
        _need(_finite(self.timeout) and self.timeout > 0, "--timeout: must be more than 0 seconds")
        _need(self.token_life >= 1, "--token-life: must be at least 1 second")


def parse_stories(text: str) -> tuple[Story, ...]:
    """`"mover,joiner"` as stories in the order of life. Raises OptionsError."""
    names = {name.strip() for name in text.split(",") if name.strip()}
    _need(names <= set(STORIES), f"--stories: must name some of {', '.join(STORIES)}")
    return tuple(story for story in STORIES if story in names)


def decode_secret(text: str, encoding: str) -> bytes:
    """The key's bytes from the configured secret: its text, or what its base64 says. Raises OptionsError."""
    text = text.strip()
    if encoding == "raw":
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise OptionsError("--secret-encoding: the secret is not base64; give raw") from error


def _finite(seconds: float) -> bool:
    return math.isfinite(seconds) and seconds >= 0


def _need(holds: bool, otherwise: str) -> None:
    if not holds:
        raise OptionsError(otherwise)
