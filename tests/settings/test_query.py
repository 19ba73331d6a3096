"""The table [query]: what it gives, and that every mistake in it is named with its line."""

from pathlib import Path

import pytest

from settings import ConfigError, load

CONFIGURATION = """\
fingerprint_key = { file = "fingerprint.key" }
[store]
url = { file = "store.url" }
[tenants.as100.token]
keys = [{ secret = { file = "one.key" } }]
[tenants.as100.deprovision]
answer = "always"
"""
OIDC = """\
[query.oidc]
issuer = "https://id.example.com/realms/main"
client_id = "hookledger"
grants = [{ value = "auditors", role = "auditor", tenant = "as100" }, { value = "ops", role = "operator" }]
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "fingerprint.key").write_text("f" * 64)
    (tmp_path / "one.key").write_text("1" * 32)
    (tmp_path / "store.url").write_text("postgresql://127.0.0.1/x")
    return tmp_path


def _write(directory: Path, more: str) -> Path:
    path = directory / "hookledger.toml"
    path.write_text(CONFIGURATION + more)
    return path


def test_it_listens_on_the_loopback_address_and_has_no_provider(directory: Path) -> None:
    query = load(_write(directory, "")).query

    assert (query.host, query.port, query.oidc, query.tls) == ("127.0.0.1", 8081, None, None)


def test_a_provider_is_read_and_its_secret_is_shown_nowhere(directory: Path) -> None:
    (directory / "client.secret").write_text("a secret of the client\n")
    told = OIDC + 'client_secret = { file = "client.secret" }\n'
    oidc = load(_write(directory, told)).query.oidc

    assert oidc is not None
    assert oidc.client_secret == "a secret of the client"
    assert "a secret" not in repr(oidc)
    assert oidc.expected_audience == "hookledger"
    assert [(g.value, g.role, g.tenant) for g in oidc.grants] == [
        ("auditors", "auditor", "as100"),
        ("ops", "operator", None),
    ]


def test_a_secret_that_only_the_listener_is_given_may_be_missing_elsewhere(directory: Path) -> None:
    oidc = load(_write(directory, OIDC + 'client_secret = { env = "NOT_SET_HERE" }\n')).query.oidc

    assert oidc is not None
    assert oidc.client_secret is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('"https://id', '"http://id'), "query.oidc.issuer: must be an https:// address"),
        (("realms/main", "realms/main?a=b"), "query.oidc.issuer: must be the issuer as its tokens name it"),
        (('"as100" }', '"as999" }'), "query.oidc.grants[0].tenant: is no tenant that is configured here"),
        (
            ('role = "operator"', 'role = "owner"'),
            "query.oidc.grants[1].role: must be auditor, operator or admin",
        ),
        (("grants = [", "algorithms = ['HS256']\ngrants = ["), "query.oidc.algorithms[0]: must be RS256"),
        (("grants = [", "scopes = ['profile']\ngrants = ["), 'query.oidc.scopes: must have "openid"'),
        (
            ("grants = [", 'client_secret = "plain"\ngrants = ['),
            "query.oidc.client_secret: must be a reference",
        ),
        (("[query.oidc]", "[query]\nlongest = 0\n[query.oidc]"), "query.longest: must be greater than 0"),
    ],
)
def test_mistakes_are_named(directory: Path, change: tuple[str, str], words: str) -> None:
    assert change[0] in OIDC

    with pytest.raises(ConfigError) as wrong:
        load(_write(directory, OIDC.replace(*change)))

    assert words in str(wrong.value)
