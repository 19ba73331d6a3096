"""The configuration: what it gives; every mistake in it is named with its line and without its value."""

from collections.abc import Callable
from pathlib import Path

import pytest

from settings import ConfigError, Settings, load

GOOD = """\
fingerprint_key = { file = "fingerprint.key" }

[store]
url = { env = "TEST_STORE_URL" }
owner_url = { env = "TEST_OWNER_URL" }

[tenants.as100.token]
keys = [{ secret = { file = "one.key" } }]

[tenants.as100.deprovision]
answer = "always"
"""

SENTINEL = "sentinel-0123456789-abcdefghijklmnop"

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.setenv("TEST_STORE_URL", "postgresql://127.0.0.1/x")
    monkeypatch.delenv("TEST_OWNER_URL", raising=False)
    (tmp_path / "fingerprint.key").write_text("f" * 64 + "\n")
    (tmp_path / "one.key").write_text("1" * 32 + "\n")
    (tmp_path / "two.key").write_text("2" * 32 + "\r\n")
    (tmp_path / "short.key").write_text("3" * 16)
    (tmp_path / "encoded.key").write_text("MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=\n")

    def _write(text: str) -> Path:
        path = tmp_path / "hookledger.toml"
        path.write_text(text)
        return path

    return _write


def _mistakes(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert SENTINEL not in str(caught.value)
    prefix = f"{path}:"
    return [line.removeprefix(prefix) for line in str(caught.value).splitlines()]


def _tenant(name: str, token: str) -> str:
    return f'[tenants.{name}]\ntoken = {{ {token} }}\ndeprovision = {{ answer = "never" }}\n'


def test_gives_the_defaults_and_what_references_hold(write: Write) -> None:
    settings = load(write(GOOD))

    tenant = settings.tenants["as100"]
    assert settings.fingerprint_key == b"f" * 64
    assert settings.store.url == "postgresql://127.0.0.1/x"
    assert settings.store.owner_url is None
    assert tenant.token.tenant_id == "as100"
    assert tenant.token.keys[0].material == b"1" * 32
    assert [u.code for u in tenant.unique] == ["LoginAlreadyExist", "EmailAlreadyExist", "MobileAlreadyExist"]
    assert (settings.api.prefix, settings.api.port, settings.bell.coalesce) == ("/webhook", 8080, 0.25)


def test_the_configuration_of_the_environment(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(write(GOOD)))
    monkeypatch.setenv("TEST_OWNER_URL", "postgresql://owner@127.0.0.1/x")

    assert load().store.owner_url == "postgresql://owner@127.0.0.1/x"


def test_the_shown_form_holds_no_secret(write: Write) -> None:
    shown = repr(load(write(GOOD + '[activities.mail]\npassword = { file = "two.key" }\n')))

    assert "1" * 32 not in shown
    assert "2" * 32 not in shown
    assert "f" * 64 not in shown
    assert "postgresql" not in shown


def test_activities_have_their_own_settings_with_references_at_any_depth(write: Write) -> None:
    text = GOOD + '[activities.mail]\nport = 25\nlogin = { name = "x", password = { file = "two.key" } }\n'

    assert load(write(text)).activities == {
        "mail": {"port": 25, "login": {"name": "x", "password": "2" * 32}}
    }


def test_a_base64_key_is_decoded(write: Write) -> None:
    text = GOOD.replace('file = "one.key" }', 'file = "encoded.key" }, encoding = "base64"')

    assert load(write(text)).tenants["as100"].token.keys[0].material == b"12345678901234567890123456789012"


def test_the_development_configuration_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKLEDGER_DATABASE_URL", "postgresql://127.0.0.1/x")
    secrets = tmp_path / ".hookledger" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "webhook.key").write_text("w" * 43)
    (secrets / "fingerprint.key").write_text("f" * 64)
    development = Path(__file__).parents[2] / "hookledger.toml"
    (tmp_path / "hookledger.toml").write_text(development.read_text())

    settings = load(tmp_path / "hookledger.toml")

    assert settings.tenants["as100"].deprovision.answer == "always"


def test_settings_cannot_be_changed(write: Write) -> None:
    settings: Settings = load(write(GOOD))

    field = "port"
    with pytest.raises(ValueError, match="frozen"):
        setattr(settings.api, field, 1)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "keys = [{",
            'algorithm = "HS265"\nkeys = [{',
            "8: tenants.as100.token.algorithm: must be HS256, HS384 or HS512",
        ),
        (
            "keys = [{",
            'keys = [{ encoding = "base46",',
            "8: tenants.as100.token.keys[0].encoding: must be raw or base64",
        ),
        (
            "\n\n[tenants.as100.deprovision]",
            '\n[tenants.as100.token.prof]\nurl = "x"\n\n[tenants.as100.deprovision]',
            "9: tenants.as100.token.prof: unknown key; did you mean proof?",
        ),
        (
            "[store]",
            '[api]\nprefx = "/x"\n[store]',
            "4: api.prefx: unknown key; did you mean prefix?",
        ),
        (
            '{ file = "one.key" }',
            f'"{SENTINEL}"',
            '8: tenants.as100.token.keys[0].secret: must be a reference, {env = "NAME"} or {file = "path"}, ',
        ),
        (
            '{ file = "one.key" }',
            f'{{ env = "{SENTINEL}" }}',
            "8: tenants.as100.token.keys[0].secret: environment variable named here is not set (or empty): ",
        ),
        (
            "TEST_STORE_URL",
            "TEST_NOT_THERE",
            "4: store.url: environment variable TEST_NOT_THERE is not set (or empty)",
        ),
        (
            "one.key",
            "short.key",
            "8: tenants.as100.token.keys[0].secret: has fewer than the 256 bits that HS256 needs ",
        ),
        (
            'file = "one.key" }',
            'file = "one.key" }, encoding = "base64", name = "a" }, { secret = { file = "short.key" }',
            "8: tenants.as100.token.keys[1].secret: has fewer than",
        ),
        (
            "fingerprint.key",
            "short.key",
            "1: fingerprint_key: must have at least 32 bytes: it keeps fingerprints from being guessed",
        ),
        (
            "keys = [",
            'proof = { url = "http://platform.example/me" }\nkeys = [',
            "8: tenants.as100.token.proof.url: must be an https:// address without user name: ",
        ),
        ("keys = [{ secret =", "leeway = 1 #", "7: tenants.as100.token: needs at least one key in keys"),
        ('answer = "always"', 'answer = "yes"', "11: tenants.as100.deprovision.answer: is none of the three"),
        ("url = {", "url = {,", "4: not valid TOML here"),
        (
            "[tenants.as100.token]",
            '[tenants.as100]\nregion = "UK"\n[tenants.as100.token]',
            "8: tenants.as100.region: must be a two-letter region",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(write: Write, old: str, new: str, expected: str) -> None:
    assert old in GOOD

    found = _mistakes(write(GOOD.replace(old, new, 1)))

    assert any(line.startswith(expected) for line in found), found


def test_an_unreadable_file_is_named(write: Write) -> None:
    path = write(GOOD.replace("one.key", "nowhere.key"))

    assert f"cannot read {path.parent / 'nowhere.key'}: No such file or directory" in _mistakes(path)[0]


def test_a_secret_that_is_not_base64(write: Write) -> None:
    (write("").parent / "odd.key").write_text("!" * 43)
    path = write(GOOD.replace('file = "one.key" }', 'file = "odd.key" }, encoding = "base64"'))

    assert _mistakes(path) == [
        '8: tenants.as100.token.keys[0].secret: does not decode as base64: check it, or set encoding = "raw"'
    ]


def test_without_the_choice_about_deprovisioning_the_three_are_explained(write: Write) -> None:
    [line] = _mistakes(write(GOOD[: GOOD.index("[tenants.as100.deprovision]")]))

    assert line.startswith("7: tenants.as100.deprovision: is missing: ")
    for choice in ('"always" (true,', '"rules" (your rules', '"never" (false,'):
        assert choice in line


def test_two_tenants_with_one_secret_or_one_tenant_id(write: Write) -> None:
    text = GOOD + _tenant(
        "b", 'keys = [{ secret = { file = "two.key" } }, { name="old", secret = { file = "one.key" } }]'
    )
    text += _tenant("c", 'tenant_id = "b", keys = [{ secret = { file = "encoded.key" } }]')

    one_secret = "is also a secret of tenants.as100: one tenant could sign for the other"
    assert _mistakes(write(text)) == [
        f"13: tenants.b.token.keys[1].secret: {one_secret}",
        "16: tenants.c.token.tenant_id: is also that of tenants.b: a tenantId leads to one tenant",
    ]


def test_one_secret_under_two_encodings_is_found(write: Write) -> None:
    (write("").parent / "decoded.key").write_text("12345678901234567890123456789012")
    text = GOOD.replace("one.key", "decoded.key")
    text += _tenant("b", 'keys = [{ encoding = "base64", secret = { file = "encoded.key" } }]')

    assert len(_mistakes(write(text))) == 1


def test_all_mistakes_come_at_once(write: Write) -> None:
    text = GOOD.replace("[store]", "[bell]\ncoalesce = -1\n[store]").replace("TEST_STORE_URL", "NOT_THERE")
    text += "[sweep]\nintervall = 2\n" + _tenant("b", 'keys = [{ secret = { file = "one.key" } }]')
    text += 'unique = [{ attribute = "a..b", form = "phone", code = "two words" }]\n'

    places = [line.split(": ")[1] for line in _mistakes(write(text))]

    assert places == [
        "bell.coalesce",
        "store.url",
        "sweep.intervall",
        "tenants.b.token.keys[0].secret",
        "tenants.b.unique[0].attribute",
        "tenants.b.unique[0].code",
        "tenants.b.unique[0].form",
    ]


def test_no_configuration_at_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file"):
        load(tmp_path / "none.toml")


def test_what_a_spool_cannot_keep_is_not_taken(write: Write, tmp_path: Path) -> None:
    spool = f'[spool]\nfolder = "{tmp_path}/spool"\n'
    bodies = "[api]\nmax_body = {}\n"
    assert load(write(GOOD + bodies.format(2_097_152) + spool)).api.max_body == 2_097_152
    assert load(write(GOOD + bodies.format(17_000_000))).api.max_body == 17_000_000

    [mistake] = _mistakes(write(GOOD + bodies.format(2_097_153) + spool))

    words = "cannot keep a body of more than 2097152 bytes: set api.max_body to that at most"
    assert mistake.endswith(f"spool.folder: {words}")
