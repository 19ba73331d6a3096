"""Where secrets stand in the configuration: no field is forgotten, and nothing but references is taken for one."""

from pathlib import Path

import pytest

from commands.every_key import KINDS
from settings.referenced import secret_places, sources


def test_each_field_that_holds_a_secret_is_a_kind_of_key() -> None:
    """Whoever adds a secret says in commands/every_key.py whose it is, how to change it, and what breaks without it."""
    assert set(secret_places()) == set(KINDS)
    assert len(KINDS) > 10


def test_each_kind_says_where_it_is_told_how_to_change_it() -> None:
    page = (Path(__file__).parents[2] / "docs" / "keys.md").read_text()
    anchors = {
        line.removeprefix("## ").lower().replace(" ", "-") for line in page.splitlines() if line[:3] == "## "
    }
    for kind in KINDS.values():
        file, _, anchor = kind.rotate.partition("#")
        assert (file, anchor in anchors) == ("docs/keys.md", True), kind.rotate


def test_where_they_come_from_is_told_and_never_what_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_URL", "postgresql://a:hunter2-fake@h/d")
    monkeypatch.delenv("NOT_GIVEN", raising=False)
    (tmp_path / "one.key").write_text("hunter2-fake")
    path = tmp_path / "hookledger.toml"
    path.write_text("""
fingerprint_key = { file = "one.key" }
[store]
url = { env = "APP_URL" }
owner_url = { env = "NOT_GIVEN" }
[api.tls]
certificate = "cert.pem"
key = "tls.key"
[ledger.holder]
file = "checkpoint"
[tenants.as100.token]
keys = [{ name = "old", secret = { file = "one.key" } }, { name = "new", secret = { file = "two.key" } }]
[activities.mail]
host = "smtp"
deep = [{ password = { file = "one.key" } }]
""")
    found = {source.at: source for source in sources(path)}
    assert {at: (s.kind, s.target, s.there, s.name, s.tenant) for at, s in found.items()} == {
        "fingerprint_key": ("file", "one.key", True, "", None),
        "store.url": ("env", "APP_URL", True, "", None),
        "store.owner_url": ("env", "NOT_GIVEN", False, "", None),
        "tenants.as100.token.keys.0.secret": ("file", "one.key", True, "old", "as100"),
        "tenants.as100.token.keys.1.secret": ("file", "two.key", False, "new", "as100"),
        "api.tls.key": ("file", "tls.key", False, "", None),
        "activities.mail.deep.0.password": ("file", "one.key", True, "", None),
    }
    assert found["fingerprint_key"].changed is not None
    assert found["store.url"].changed is None
    assert "hunter2" not in str(found)
