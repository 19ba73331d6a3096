"""The identity provider as it tells of itself: its addresses and the keys that sign, asked for when they are needed."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from api.problems import Problem
from settings.platform import safe_address

log = logging.getLogger(__name__)

_TIMEOUT = 5.0
_FRESH = 3600.0
"""Seconds for which addresses and keys are believed."""
_PATIENCE = 2.0
"""Seconds after it did not answer in which it is not asked again: callers must not queue for its time-outs."""
_PAUSE = 10.0
"""Seconds between two looks: tokens with made-up key ids must not make us ask each time."""


class ProviderAway(Problem):
    """503: the provider does not answer, or not as one."""

    def __init__(self, words: str) -> None:
        super().__init__(503, "provider_away", words, {"Retry-After": "5"})


class ProviderRefuses(Exception):
    """A 4xx: what was sent is not good."""


@dataclass(frozen=True, slots=True)
class Told:
    """What discovery told, and the keys that sign."""

    metadata: Mapping[str, Any]
    keys: KeySet
    at: float


class Provider:
    """One provider. A start needs no network."""

    def __init__(self, issuer: str, clock: Callable[[], float]) -> None:
        self._issuer = issuer
        self._clock = clock
        self._http = httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False)
        self._known: Told | None = None
        self._away: tuple[ProviderAway, float] | None = None
        self._lock = asyncio.Lock()

    async def close(self) -> None:
        """Ends its connections."""
        await self._http.aclose()

    async def tells(self, *, again: bool = False) -> Told:
        """Addresses and keys; `again` to look for keys newer than those known. Raises ProviderAway."""
        async with self._lock:
            known, now = self._known, self._clock()
            if self._away is not None and now - self._away[1] < _PATIENCE:
                raise self._away[0]
            age = now - known.at if known else _FRESH
            if known is None or age >= _FRESH or (again and age >= _PAUSE):
                try:
                    self._known = known = await self._discover(now)
                except ProviderAway as wrong:
                    self._away = wrong, self._clock()
                    raise
            return known

    async def ask(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
    ) -> dict[str, Any]:
        """An object of JSON. Raises ProviderRefuses for a 4xx, else ProviderAway."""
        try:
            answer = await self._http.request(method, address, headers=headers, content=body)
            if answer.is_client_error:
                raise ProviderRefuses
            told = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError, RecursionError) as wrong:
            log.warning("the identity provider does not answer: %s", type(wrong).__name__)
            raise ProviderAway(f"The identity provider does not answer ({type(wrong).__name__}).") from None
        if not isinstance(told, dict):
            raise ProviderAway("The identity provider's answer is not an object.")
        return cast("dict[str, Any]", told)

    async def _discover(self, now: float) -> Told:
        """OpenID Connect Discovery 1.0, section 4."""
        try:
            metadata = await self.ask("GET", self._issuer.rstrip("/") + "/.well-known/openid-configuration")
            if metadata.get("issuer") != self._issuer:
                raise ProviderAway("The identity provider names itself otherwise than query.oidc.issuer.")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                safe_address(metadata[name])
            keys = KeySet.import_key_set(cast("Any", await self.ask("GET", metadata["jwks_uri"])))
        except ProviderRefuses:
            raise ProviderAway("The identity provider does not tell its addresses and keys.") from None
        except (KeyError, TypeError, ValueError, AttributeError, JoseError):
            words = "The identity provider's addresses or keys are not as they should be."
            raise ProviderAway(words) from None
        return Told(metadata, keys, now)
