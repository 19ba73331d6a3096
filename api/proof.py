"""Proof by use: whether the platform itself accepts a token whose key the tenant cannot know."""

import asyncio
import contextlib
import json
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

import httpx

from settings.addresses import origin

TIMEOUT = 1.5
"""Seconds for everything, below the deadline in which a hook is answered."""

_LONGEST_ANSWER = 65_536
_TRUSTED_FOR = 3600.0
_AT_ONCE = 32
_OF_ONE_ORIGIN = 8
"""Of those, for who calls from one address: anybody can make up tokens, and each is one more to ask about."""
_REFUSED_FOR = 30.0
"""Seconds for which what the platform refused is not asked about again."""
_REFUSED = 1_000


class Verdict(Enum):
    """What the platform says of a token; UNKNOWN when it could not be asked, or cannot be believed."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    FORBIDDEN = "forbidden"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict and, for `./hookledger doctor`, why."""

    verdict: Verdict
    words: str


class Prover:
    """Asks the platform. The token goes to the configured address and nowhere else: no redirects, no proxies."""

    def __init__(self) -> None:
        self._client: httpx.AsyncClient | None = None
        self._asking: dict[str, asyncio.Task[Answer]] = {}
        self._places = Counter[str]()
        self._refused: OrderedDict[tuple[str, str], tuple[Answer, float]] = OrderedDict()
        self._discerning: dict[str, float] = {}
        self._probing = asyncio.Lock()

    async def ask(self, url: str, token: str, fingerprint: str, address: str = "") -> Answer:
        """One read with the token; concurrent askers of one token share it. Never raises, ends in TIMEOUT."""
        task = self._asking.get(fingerprint)
        if task is None:
            caller = origin(address)
            if answer := self._without_asking((url, fingerprint), caller):
                return answer
            task = self._asking[fingerprint] = asyncio.create_task(self._ask(url, token))
            self._places[caller] += 1
            task.add_done_callback(lambda done: self._asked(done, (url, fingerprint), caller))
        return await asyncio.shield(task)

    def _without_asking(self, about: tuple[str, str], caller: str) -> Answer | None:
        """What was refused a moment ago, or that too many are under way."""
        refused = self._refused.get(about)
        if refused and time.monotonic() < refused[1]:
            return refused[0]
        if len(self._asking) >= _AT_ONCE:
            return Answer(Verdict.UNKNOWN, f"more than {_AT_ONCE} tokens are being proven at once")
        if self._places[caller] >= _OF_ONE_ORIGIN:
            words = f"more than {_OF_ONE_ORIGIN} tokens from {caller or 'nowhere'} are being proven at once"
            return Answer(Verdict.UNKNOWN, words)
        return None

    def _asked(self, done: asyncio.Task[Answer], about: tuple[str, str], caller: str) -> None:
        self._asking.pop(about[1], None)
        self._places[caller] -= 1
        if not self._places[caller]:
            del self._places[caller]
        if done.cancelled() or done.result().verdict not in (Verdict.REFUSED, Verdict.FORBIDDEN):
            return
        self._refused[about] = done.result(), time.monotonic() + _REFUSED_FOR
        self._refused.move_to_end(about)
        if len(self._refused) > _REFUSED:
            self._refused.popitem(last=False)

    async def close(self) -> None:
        """Ends what is under way."""
        for task in (asking := list(self._asking.values())):
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        if self._client:
            await self._client.aclose()

    async def _ask(self, url: str, token: str) -> Answer:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._distrust(url, token) or await self._read(url, token)
        except TimeoutError:
            return Answer(Verdict.UNKNOWN, f"the platform did not answer within {TIMEOUT} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Answer(Verdict.UNKNOWN, f"the platform is out of reach ({type(error).__name__})")

    async def _distrust(self, url: str, token: str) -> Answer | None:
        """Why the address cannot be believed: one that also accepts a forged token would let everybody in."""
        async with self._probing:
            if time.monotonic() < self._discerning.get(url, 0):
                return None
            answer = await self._read(url, _forged(token))
            if answer.verdict is Verdict.ACCEPTED:
                words = (
                    "the address in token.proof.url also accepts a forged token: name a read that checks it"
                )
                return Answer(Verdict.UNKNOWN, words)
            if answer.verdict is Verdict.UNKNOWN:
                return answer
            self._discerning[url] = time.monotonic() + _TRUSTED_FOR
            return None

    async def _read(self, url: str, token: str) -> Answer:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        async with self._open_client().stream("GET", url, headers=headers) as response:
            if response.status_code in (401, 403):
                verdict = Verdict.REFUSED if response.status_code == 401 else Verdict.FORBIDDEN
                return Answer(verdict, f"the platform answered {response.status_code}")
            if not response.is_success:
                return Answer(Verdict.UNKNOWN, f"the platform answered {response.status_code}")
            content = b""
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > _LONGEST_ANSWER:
                    return Answer(Verdict.UNKNOWN, "the platform's answer is too long for a cheap read")
        return _judge(content)

    def _open_client(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=TIMEOUT)
        return self._client


def _judge(content: bytes) -> Answer:
    """The platform's envelope can say `"success": false` under status 200 (CONTRACT §5)."""
    envelope: Any = None
    with contextlib.suppress(ValueError, RecursionError):
        envelope = json.loads(content)
    if isinstance(envelope, dict) and cast("dict[str, Any]", envelope).get("success") is False:
        return Answer(Verdict.REFUSED, "the platform answered success: false")
    return Answer(Verdict.ACCEPTED, "")


def _forged(token: str) -> str:
    """The same token under a signature that cannot be right."""
    signed, _, signature = token.rpartition(".")
    return f"{signed}.{'B' if signature[:1] == 'A' else 'A'}{signature[1:]}"
