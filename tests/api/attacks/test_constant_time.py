"""Signatures and keys are compared by hmac.compare_digest, which takes as long for any wrong one (ASVS 11.2.4)."""

import hmac
from typing import Any

import pytest

from api.auth import Refusal, Verifier, mint
from ledger import key_text
from settings import Settings


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytes]]:
    """What was compared so."""
    seen: list[tuple[bytes, bytes]] = []
    compare: Any = hmac.compare_digest

    def noting(given: bytes, kept: bytes) -> bool:
        seen.append((bytes(given), bytes(kept)))
        return compare(given, kept)

    monkeypatch.setattr(hmac, "compare_digest", noting)
    return seen


def test_a_token_s_signature(settings: Settings, compared: list[tuple[bytes, bytes]]) -> None:
    verifier = Verifier(settings.tenants, fingerprint_key=settings.fingerprint_key)
    good = mint("as100", settings)
    head, _, signature = good.rpartition(".")
    forged = f"{head}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"

    with pytest.raises(Refusal):
        verifier.verify(f"Bearer {forged}")

    assert any(len(given) == len(kept) == 32 and given != kept for given, kept in compared)


def test_a_key_of_the_query_api(compared: list[tuple[bytes, bytes]]) -> None:
    one, another = key_text.make(), key_text.make()

    assert one.fits(one.hash)
    assert not another.fits(one.hash)

    assert compared == [(one.hash, one.hash), (another.hash, one.hash)]
