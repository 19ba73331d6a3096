"""Locks beside the token: addresses, mutual TLS, and heads that never end."""

import asyncio
import datetime as dt
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette

from api import patience
from api.listening import configured
from ledger.engine import Pool
from settings import Api, ConfigError, Settings, Store, Tls
from settings.addresses import is_listed
from tests.api.edge import Edge, configure, listen, written
from tests.support import Servers

ROOT = Path(__file__).parents[2]


@pytest.fixture
def temporal(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)


async def _status(edge: Edge, tenant: str = "as100", **headers: str) -> int:
    got = await edge.send("/webhook/test", "{}", tenant, **headers)
    if got.status_code == 403:
        assert got.headers["content-type"] == "application/problem+json"
        assert "127.0.0.1" not in got.text
        assert "www-authenticate" not in got.headers  # another token would not help
    return got.status_code


@pytest.mark.usefixtures("temporal")
@pytest.mark.parametrize(
    ("allow", "forwarded", "status"),
    [
        ('["127.0.0.0/8"]', None, 200),
        ('["10.0.0.0/8", "::1"]', None, 403),
        # uvicorn believes the proxy at 127.0.0.1, and takes the last address that is none of a proxy's.
        ('["203.0.113.7"]', "203.0.113.7", 200),
        ('["203.0.113.7"]', "203.0.113.7, 198.51.100.1", 403),
        ('["203.0.113.7"]', "203.0.113.7, 127.0.0.1", 200),
        ('["203.0.113.7"]', "no address", 403),
        ('["203.0.113.7"]', None, 403),
    ],
)
async def test_the_list_of_addresses(
    store: Store, pool: Pool, tmp_path: Path, allow: str, forwarded: str | None, status: int
) -> None:
    async with listen(configure(tmp_path, store, api=f"allow = {allow}")) as edge:
        headers = {"X_Forwarded_For": forwarded} if forwarded else {}
        assert await _status(edge, **headers) == status
    if status == 403:
        assert await written(pool, "reason = 'address'")


@pytest.mark.usefixtures("temporal")
async def test_a_stranger_s_forwarding_header_is_not_believed(store: Store, tmp_path: Path) -> None:
    api = 'allow = ["203.0.113.7"]\nforwarded_allow_ips = "10.9.9.9"'
    async with listen(configure(tmp_path, store, api=api)) as edge:
        assert await _status(edge, X_Forwarded_For="203.0.113.7") == 403


@pytest.mark.usefixtures("temporal")
async def test_a_tenant_s_own_list(store: Store, tmp_path: Path) -> None:
    settings = configure(tmp_path, store, "as200", tenant='allow = ["10.0.0.0/8"]')
    async with listen(settings) as edge:
        assert [await _status(edge, name) for name in ("as100", "as200")] == [403, 200]


def test_listed_addresses() -> None:
    listed = ("10.0.0.0/8", "2001:db8::/32")
    given = ("10.1.2.3", "11.0.0.1", "2001:db8::5", "::ffff:10.0.0.1", "", "10.0.0.1.evil", "testclient")
    assert [is_listed(address, listed) for address in given] == [True, False, True, True, False, False, False]


class Authority:
    """A CA of the test's own."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._subject = subject
        self.file = folder / f"{name}-ca.pem"
        self.file.write_bytes(self._sign(subject, self._key, ca=True).public_bytes(Encoding.PEM))

    def issue(self, who: str, days: int = 1) -> tuple[Path, Path]:
        """A certificate and its key, good from two days ago for so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, who)])
        certificate = self._sign(subject, key, ca=False, days=days)
        paths = self._folder / f"{self._name}-{who}.pem", self._folder / f"{self._name}-{who}.key"
        paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
        paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return paths

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool, days: int = 1
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=2))
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(names, critical=False)
            .sign(self._key, hashes.SHA256())
        )


@pytest.fixture
async def locked(
    servers: Servers, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[tuple[Edge, Authority]]:
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    ours = Authority(tmp_path, "ours")
    certificate, key = ours.issue("localhost")
    settings = configure(tmp_path, store)
    tls = Tls(certificate=certificate, key=key, client_ca=ours.file)
    settings = settings.model_copy(update={"api": settings.api.model_copy(update={"tls": tls})})
    async with listen(settings) as edge:
        yield edge, ours


async def _over_tls(edge: Edge, authority: Authority, pair: tuple[Path, Path] | None) -> int:
    context = ssl.create_default_context(cafile=authority.file)
    if pair:
        context.load_cert_chain(*pair)
    async with httpx.AsyncClient(verify=context, trust_env=False) as http:
        url = f"https://localhost:{edge.port}/webhook/test"
        return (await http.post(url, content=b"{}", headers=edge.headers())).status_code


async def test_mutual_tls_lets_in_who_has_a_certificate_of_ours_only(
    locked: tuple[Edge, Authority], tmp_path: Path
) -> None:
    edge, ours = locked
    assert await _over_tls(edge, ours, ours.issue("platform")) == 200
    for pair in (None, Authority(tmp_path, "theirs").issue("platform"), ours.issue("late", days=-1)):
        with pytest.raises((httpx.TransportError, ssl.SSLError)):
            await _over_tls(edge, ours, pair)


@pytest.mark.usefixtures("temporal")
async def test_who_never_ends_a_head_is_hung_up_on_and_others_are_answered(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "HEAD_WITHIN", 1.0)
    async with listen(configure(tmp_path, store)) as edge:
        idle = [await asyncio.open_connection("127.0.0.1", edge.port) for _ in range(150)]
        for n, (_, writer) in enumerate(idle):
            if n % 3:
                writer.write(b"POST /webhook/test HTTP/1.1\r\nHost: x\r\nX-A: ")
        begun = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() - begun < 0.7:
            for n, (_, writer) in enumerate(idle):
                if n % 3 == 1:
                    writer.write(b"a")
            assert await _status(edge) == 200
            await asyncio.sleep(0.1)
        async with asyncio.timeout(5):
            ends = await asyncio.gather(*(reader.read() for reader, _ in idle), return_exceptions=True)
        assert all(end == b"" or isinstance(end, ConnectionError) for end in ends)
        for _, writer in idle:
            writer.close()


@pytest.mark.parametrize("which", ["no PEM", "another key", "no CA"])
def test_a_certificate_that_cannot_be_used_is_named_with_what_to_do(tmp_path: Path, which: str) -> None:
    authority = Authority(tmp_path, "ours")
    (certificate, key), (_, another) = authority.issue("localhost"), authority.issue("other")
    (nothing := tmp_path / "nothing.pem").write_text("nothing")
    tls = {
        "no PEM": Tls(certificate=nothing, key=key),
        "another key": Tls(certificate=certificate, key=another),
        "no CA": Tls(certificate=certificate, key=key, client_ca=nothing),
    }[which]
    with pytest.raises(ConfigError) as error:
        configured(Starlette(), Api(tls=tls))
    said = str(error.value)
    assert all(str(file) in said for file in (tls.certificate, tls.key, tls.client_ca) if file)
    assert "give a certificate in PEM, its own key" in said
    assert "BEGIN" not in said


def test_the_command_says_it_in_words(tmp_path: Path, store: Store) -> None:
    configure(tmp_path, store)
    (nothing := tmp_path / "nothing.pem").write_text("nothing")
    command = [
        sys.executable,
        str(ROOT / "cli.py"),
        "api",
        "--certificate",
        str(nothing),
        "--key",
        str(nothing),
    ]
    environment = os.environ | {"HOOKLEDGER_CONFIG": str(tmp_path / "hookledger.toml")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_that_is_none_is_refused_at_the_start(tmp_path: Path, store: Store) -> None:
    from settings import ConfigError

    with pytest.raises(ConfigError, match="an address or a network"):
        _ = _settings(tmp_path, store)


def _settings(tmp_path: Path, store: Store) -> Settings:
    return configure(tmp_path, store, api='allow = ["10.0.0.0/33"]')


@pytest.mark.parametrize(
    "proxies",
    [
        "*",
        "0.0.0.0/0",
        "::/0",
        "10.0.0.5, 0.0.0.0/0",
        "0.0.0.0/1,128.0.0.0/1",
        "::ffff:0:0/96",
        "::/1, 8000::/1",
    ],
)
def test_a_list_beside_proxies_that_are_everybody_is_refused(
    tmp_path: Path, store: Store, proxies: str
) -> None:
    from settings import ConfigError

    api, list_of_one = f'forwarded_allow_ips = "{proxies}"', 'allow = ["10.0.0.0/8"]'
    assert configure(tmp_path, store, api=api).api.forwarded_allow_ips == proxies
    with pytest.raises(ConfigError, match=r"api\.allow: .* every caller says where they come from"):
        configure(tmp_path, store, api=f"{list_of_one}\n{api}")
    with pytest.raises(ConfigError, match=r"tenants\.as100\.allow: .* every caller says"):
        configure(tmp_path, store, api=api, tenant=list_of_one)


@pytest.mark.parametrize("proxies", ["", "10.0.0.5", "10.0.0.0/8, 2001:db8::1 ,::1", "0.0.0.0/1", "2000::/3"])
def test_a_list_beside_proxies_that_are_some(tmp_path: Path, store: Store, proxies: str) -> None:
    api = f'allow = ["10.0.0.0/8"]\nforwarded_allow_ips = "{proxies}"'
    assert configure(tmp_path, store, api=api).api.forwarded_allow_ips == proxies


@pytest.mark.parametrize(
    "proxies",
    ["nonsense", "10.0.0.5 10.0.0.6", "10.0.0.5,", "10.0.0.0/33", "10.0.0.5/8", "*, 10.0.0.5", " *"],
)
def test_a_proxy_that_is_no_address_is_a_mistake(tmp_path: Path, store: Store, proxies: str) -> None:
    from settings import ConfigError

    with pytest.raises(ConfigError, match=r"api\.forwarded_allow_ips: must be addresses or networks"):
        configure(tmp_path, store, api=f'forwarded_allow_ips = "{proxies}"')
    with pytest.raises(ConfigError, match=r"query\.forwarded_allow_ips: must be addresses or networks"):
        configure(tmp_path, store, api=f'[query]\nforwarded_allow_ips = "{proxies}"')
