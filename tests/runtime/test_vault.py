"""The vault: opens for the same delivery under the same key, and for nothing else."""

import pytest

from runtime.vault import Vault

VAULT = Vault(b"k" * 32)


@pytest.mark.parametrize("secret", ["hunter2-fake", "", "ünïcödé \u2028 \x00", "x" * 100_000], ids=len)
def test_what_is_sealed_comes_out(secret: str) -> None:
    assert VAULT.unseal("d1", VAULT.seal("d1", secret)) == secret


def test_it_is_bound_to_its_delivery() -> None:
    assert VAULT.unseal("d2", VAULT.seal("d1", "hunter2-fake")) is None


def test_another_key_does_not_open_it() -> None:
    assert Vault(b"j" * 32).unseal("d1", VAULT.seal("d1", "hunter2-fake")) is None


def test_a_changed_byte_does_not_open() -> None:
    sealed = VAULT.seal("d1", "hunter2-fake")
    for n in range(len(sealed)):
        assert VAULT.unseal("d1", sealed[:n] + bytes([sealed[n] ^ 1]) + sealed[n + 1 :]) is None


@pytest.mark.parametrize("length", [0, 7, 12, 20])
def test_what_is_too_short_does_not_open(length: int) -> None:
    assert VAULT.unseal("d1", VAULT.seal("d1", "hunter2-fake")[:length]) is None


def test_two_seals_differ_and_do_not_show_the_secret() -> None:
    one, two = VAULT.seal("d1", "hunter2-fake"), VAULT.seal("d1", "hunter2-fake")
    assert one != two
    assert b"hunter2" not in one


def test_the_key_is_not_used_bare() -> None:
    """Fingerprints are made under the same key: neither use may help against the other."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    sealed = VAULT.seal("d1", "hunter2-fake")
    with pytest.raises(InvalidTag):
        AESGCM(b"k" * 32).decrypt(sealed[:12], sealed[12:], b"d1")
