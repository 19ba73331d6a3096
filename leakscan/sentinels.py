"""What must be nowhere: values that cannot be there by chance, and the ways in which they could be spelt."""

import base64
import json
import secrets
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache


@dataclass(frozen=True, slots=True)
class Sentinel:
    """One value. `secret`: nowhere at all; else it is personal, and may be in the ledger's own database only."""

    name: str
    value: str = field(repr=False)
    secret: bool

    def spellings(self) -> Iterator[bytes]:
        """As it is, within JSON (twice, as JSON in JSON is), in an address, in hex, in base64 at each phase, in UTF-16."""
        raw = self.value.encode()
        yield raw
        escaped = json.dumps(self.value)[1:-1]
        yield escaped.encode()
        yield json.dumps(escaped)[1:-1].encode()
        yield urllib.parse.quote(self.value, safe="").encode()
        yield raw.hex().encode()
        yield self.value.encode("utf-16-le")
        for phase in range(3):
            coded = base64.b64encode(b"\0" * phase + raw).decode().rstrip("=")
            inner = coded[(phase + 2) // 3 * 4 : -2]
            yield inner.encode()
            yield inner.translate(str.maketrans("+/", "-_")).encode()


@dataclass
class Sentinels:
    """All of a run; new ones in each run, so that nothing of an earlier one is found."""

    known: list[Sentinel] = field(default_factory=list[Sentinel])

    def secret(self, name: str) -> str:
        """A new secret value."""
        return self.remember(name, f"Sntl{secrets.token_hex(9)}", secret=True)

    def personal(self, name: str, form: str = "{}") -> str:
        """A new personal value; `form` has its place for it: `{}@example.com`."""
        return self.remember(name, form.format(f"prsn{secrets.token_hex(7)}"), secret=False)

    def remember(self, name: str, value: str, *, secret: bool) -> str:
        """One that was made elsewhere, such as a token."""
        self.known.append(Sentinel(name, value, secret))
        return value


def find(data: bytes, sentinels: Iterable[Sentinel]) -> list[str]:
    """Names of those that stand there in any spelling, in capitals or not."""
    lowered = data.lower()
    return [sentinel.name for sentinel in sentinels if any(spelt in lowered for spelt in _lowered(sentinel))]


@cache
def _lowered(sentinel: Sentinel) -> frozenset[bytes]:
    return frozenset(spelt.lower() for spelt in sentinel.spellings())
