"""What must be nowhere: values that cannot be there by chance, and the ways in which they could be spelt."""

import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

from hooks.spellings import spellings

_WORD = re.compile("[A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Sentinel:
    """One value. `secret`: nowhere at all; else it is personal, and may be in the ledger's own database only."""

    name: str
    value: str = field(repr=False)
    secret: bool

    def spellings(self) -> Iterator[bytes]:
        """As a text may have it (hooks/spellings.py), which is what `bind` cuts; besides in hex and in UTF-16."""
        for spelt in spellings(self.value):
            yield spelt.encode()
        yield self.value.encode().hex().encode()
        yield self.value.encode("utf-16-le")


@dataclass
class Sentinels:
    """All of a run; new ones in each run, so that nothing of an earlier one is found."""

    known: list[Sentinel] = field(default_factory=list[Sentinel])

    def secret(self, name: str) -> str:
        """A new password: with what JSON, addresses, Python and HTML write otherwise."""
        return self.remember(name, f'Sn "{secrets.token_hex(9)}\\@é', secret=True)

    def plain(self, name: str) -> str:
        """A new secret of letters and digits, for what a header or a key's file takes."""
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
    return [sentinel.name for sentinel in sentinels if _stands_in(lowered, sentinel)]


def _stands_in(lowered: bytes, sentinel: Sentinel) -> bool:
    word, with_it, without_it = _lowered(sentinel)
    if any(spelt in lowered for spelt in without_it):
        return True
    return word in lowered and any(spelt in lowered for spelt in with_it)


@cache
def _lowered(sentinel: Sentinel) -> tuple[bytes, frozenset[bytes], frozenset[bytes]]:
    """The longest word of it, the spellings with that word in them, which need not be sought where it is not, and the rest."""
    word = max(_WORD.findall(sentinel.value), key=len, default="").lower().encode()
    spelt = frozenset(spelt.lower() for spelt in sentinel.spellings())
    with_it = frozenset(one for one in spelt if word in one)
    return word, with_it, spelt - with_it
