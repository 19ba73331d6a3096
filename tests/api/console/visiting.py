"""Somebody at the console without any script: follows links, fills forms, keeps cookies."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape

import httpx

from settings.query import Role
from tests.api.query.asking import Desk, make

PROOF = re.compile(r'name="proof" value="([0-9a-f]+)"')


@dataclass
class Visitor:
    """A browser with its cookies."""

    http: httpx.AsyncClient

    async def get(self, address: str) -> httpx.Response:
        """A page, wherever it leads."""
        return await self.http.get(address, follow_redirects=True)

    async def send(self, page: str, address: str, **form: str | list[str]) -> httpx.Response:
        """A form of that page, with the proof that stands in it; wherever it leads."""
        shown = await self.get(page)
        return await self.post(address, proof=proof(shown), **form)

    async def post(self, address: str, **form: str | list[str]) -> httpx.Response:
        """A form, made up."""
        return await self.http.post(address, data=form, follow_redirects=True)

    async def sign_in(self, key: str) -> httpx.Response:
        """By a key."""
        return await self.send("/console/sign-in", "/console/sign-in", key=key, next="/console")


def proof(page: httpx.Response) -> str:
    """What the forms of a page carry."""
    found = PROOF.search(page.text)
    assert found, page.text
    return found[1]


def text_of(page: httpx.Response) -> str:
    """What is read on it, without tags."""
    plain = re.sub(r"<(script|style|title)\b.*?</\1>", "", page.text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", plain)).split())


@asynccontextmanager
async def visiting(desk: Desk) -> AsyncGenerator[Visitor]:
    """A browser that knows nothing yet."""
    async with httpx.AsyncClient(trust_env=False, timeout=20, base_url=desk.http.base_url) as http:
        yield Visitor(http)


@asynccontextmanager
async def signed_in(desk: Desk, role: Role, tenant: str | None = None) -> AsyncGenerator[Visitor]:
    """Somebody who has signed in by a key of that role."""
    async with visiting(desk) as visitor:
        text, _ = await make(desk.settings, role, tenant)
        page = await visitor.sign_in(text)
        assert page.status_code == 200, page.text
        yield visitor
