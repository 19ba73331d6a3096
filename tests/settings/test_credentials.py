"""A secret that systemd gives a unit is found where systemd says it put it."""

from pathlib import Path

import pytest

import settings as configuration
from settings.referenced import sources

_WRITTEN = """
fingerprint_key = { file = "$CREDENTIALS_DIRECTORY/fingerprint.key" }
[store]
url = { file = "$CREDENTIALS_DIRECTORY/store-url" }
owner_url = { file = "$CREDENTIALS_DIRECTORY/owner-url" }
[tenants.as100.token]
keys = [{ secret = { file = "$CREDENTIALS_DIRECTORY/webhook.key" } }]
[tenants.as100.deprovision]
answer = "never"
"""


def test_credentials_are_read_from_their_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "fingerprint.key").write_text("k" * 43)
    (given / "webhook.key").write_text("w" * 43)
    (given / "store-url").write_text("postgresql://hookledger_app@127.0.0.1/x")
    path = tmp_path / "hookledger.toml"
    path.write_text(_WRITTEN)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given))

    read = configuration.load(path)

    assert read.store.url == "postgresql://hookledger_app@127.0.0.1/x"
    assert read.store.owner_url is None
    assert {one.at: one.there for one in sources(path)} == {
        "fingerprint_key": True,
        "store.url": True,
        "store.owner_url": False,
        "tenants.as100.token.keys.0.secret": True,
    }
