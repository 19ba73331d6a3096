"""Reads the platform's users over its REST API: page by page, and one by one (CONTRACT B5)."""

import asyncio
import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, NoReturn, cast
from urllib.parse import quote

import httpx

from settings.platform import Platform

Json = dict[str, Any]

TRIES = 5
FIRST_WAIT = 0.5
"""Seconds before the second try; it doubles."""
_LONGEST_WAIT = 60.0
_LARGEST = 64 * 1024 * 1024
"""Bytes of one answer."""
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_TOKEN_CODES = frozenset({"INVALID_TOKEN", "ACCESS_DENIED_TOKEN", "SESSION_EXPIRED"})
_CODE = re.compile(r"[A-Z][A-Z0-9]{0,20}\.[A-Z0-9_]{1,60}")


class PlatformRefuses(Exception):
    """The platform will not answer, however often it is asked; the text says what to change. Holds no data."""


class PlatformLost(Exception):
    """The platform did not give a usable answer after several tries; the text says how it failed. Holds no data."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list. `total` and `pages` are what it says of the whole; None if it does not say."""

    users: list[Any]
    total: int | None
    pages: int | None


class NotThere(Enum):
    """A person's own record did not come. GONE: the platform has none. CANNOT_ASK: such reads are not for us."""

    GONE = "no record (404)"
    CANNOT_ASK = "cannot be asked"
    UNCLEAR = "unclear"


class _Again(Exception):
    """Worth another try; the text says how it failed, `wait` how long the platform wishes to be left alone."""

    def __init__(self, words: str, wait: float = 0) -> None:
        super().__init__(words)
        self.wait = wait


class UserList:
    """One tenant's users at the platform. The token goes to the configured address only: no redirects, no proxies."""

    def __init__(
        self, name: str, platform: Platform, tenant_id: str, *, first_wait: float = FIRST_WAIT
    ) -> None:
        self._where = f"tenants.{name}.platform"
        if platform.token is None:
            raise PlatformRefuses(
                f"{self._where}.token refers to nothing that is there: set the variable, or write the file"
            )
        self._platform = platform
        self._first_wait = first_wait
        headers = {
            "Authorization": f"Bearer {platform.token}",
            "Tenant": tenant_id,
            "Accept": "application/json",
        }
        self._http = httpx.AsyncClient(
            headers=headers, follow_redirects=False, trust_env=False, timeout=platform.timeout
        )

    async def close(self) -> None:
        """Hangs up."""
        await self._http.aclose()

    async def page(self, number: int) -> Page:
        """A page of the list, from 0 on. Raises PlatformRefuses, PlatformLost."""
        asked: Json = {
            "keyword": "",
            "pageNumber": number,
            "pageSize": self._platform.page_size,
            "filter": {},
            "sortDirection": "ASC",
            "sortOn": [self._platform.sort_on] if self._platform.sort_on else [],
        }

        async def read() -> Page:
            status, envelope = await self._exchange("POST", "/usersrvc/api/user/list", asked)
            if status in (403, 404, 405):
                self._refuse(status)
            return _page(_data(status, envelope))

        return await self._patiently(read)

    async def user(self, id_: str) -> Json | NotThere:
        """A person's own record. Raises PlatformRefuses if the token is no longer good."""

        async def read() -> Json | NotThere:
            status, envelope = await self._exchange("GET", f"/usersrvc/api/user/{quote(id_, safe='')}")
            if status == 404:
                return NotThere.GONE
            if status in (400, 403, 405, 501):
                return NotThere.CANNOT_ASK
            if _code(envelope).endswith("NOT_FOUND"):
                return NotThere.GONE
            data = _data(status, envelope)
            if not isinstance(data, dict):
                return NotThere.UNCLEAR
            user = cast("Json", data)
            return user if user.get("id") in (id_, None) else NotThere.UNCLEAR

        try:
            return await self._patiently(read)
        except PlatformLost:
            return NotThere.UNCLEAR

    async def _patiently(self, read: Any) -> Any:
        wait = self._first_wait
        for left in range(TRIES - 1, -1, -1):
            try:
                async with asyncio.timeout(self._platform.timeout):
                    return await read()
            except _Again as wrong:
                words, pause = str(wrong), max(wait, wrong.wait)
            except TimeoutError:
                words, pause = f"no answer within {self._platform.timeout:g} s", wait
            except (httpx.HTTPError, httpx.InvalidURL) as wrong:
                words, pause = f"out of reach ({type(wrong).__name__})", wait
            if not left:
                raise PlatformLost(f"{words}, {TRIES} times") from None
            await asyncio.sleep(min(pause, _LONGEST_WAIT))
            wait *= 2
        raise AssertionError

    async def _exchange(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        """Status and envelope; the envelope is empty where the status says enough. Raises _Again, PlatformRefuses."""
        async with self._http.stream(method, self._platform.url + path, json=body) as answer:
            status = answer.status_code
            if status == 401 or answer.is_redirect:
                self._refuse(status)
            if status in _BUSY:
                raise _Again(f"status {status}", _seconds(answer.headers.get("retry-after")))
            if status != 200:
                return status, {}
            content = bytearray()
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > _LARGEST:
                    raise _Again(f"an answer of more than {_LARGEST >> 20} MiB: lower page_size")
        envelope = _envelope(bytes(content))
        if _code(envelope).rpartition(".")[2] in _TOKEN_CODES:
            self._refuse(401)
        return status, envelope

    def _refuse(self, status: int) -> NoReturn:
        if status == 401:
            words = (
                f"the platform refuses the token of {self._where}.token (401): renew the secret of the API client "
                "in the platform (Configurations > API Client), and put it where the configuration refers to"
            )
        elif status == 403:
            words = f"the API client of {self._where}.token may not read users (403): give it the role for it"
        elif status in (404, 405):
            words = f"there is no user list at {self._where}.url ({status}): it ends before /usersrvc"
        else:
            words = (
                f"the address in {self._where}.url answers with a redirect ({status}), which a token must not follow: "
                "name the API itself"
            )
        raise PlatformRefuses(words)


def _envelope(content: bytes) -> Json:
    try:
        value = json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _Again("an answer that is not JSON") from None
    if not isinstance(value, dict) or "success" not in value:
        raise _Again("an answer without the platform's envelope")
    return cast("Json", value)


def _no_constant(_: str) -> NoReturn:
    raise ValueError


def _code(envelope: Json) -> str:
    """The platform's own error code, if it is one."""
    code = envelope.get("errorCode")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _data(status: int, envelope: Json) -> Any:
    """What the envelope carries. Errors may come as 200 with success: false, or with null data."""
    if status != 200:
        raise _Again(f"status {status}")
    if envelope["success"] is not True:
        raise _Again(f"success: false{f' ({code})' if (code := _code(envelope)) else ''}")
    if envelope.get("data") is None:
        raise _Again("success, but no data")
    return envelope["data"]


def _page(data: Any) -> Page:
    """Either shape: Spring's `content`, or the platform's own `elements`."""
    if isinstance(data, dict):
        page = cast("Json", data)
        users = page.get("content", page.get("elements"))
        if isinstance(users, list):
            return Page(
                cast("list[Any]", users), _count(page.get("totalElements")), _count(page.get("totalPages"))
            )
    raise _Again("a page of neither shape that is known (content, elements)")


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _seconds(text: str | None) -> float:
    """Retry-After in seconds; its form as a date is passed over."""
    return float(text) if text and text.isdecimal() else 0
