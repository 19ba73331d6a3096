"""Users of an OpenID Connect provider: their bearer tokens, and the code flow with PKCE by which a page lets them in."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote_plus

import httpx
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.claims import JWTClaims
from authlib.oauth2.rfc6749.parameters import (
    parse_authorization_code_response,
    prepare_grant_uri,
    prepare_token_request,
)
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from api.problems import Problem
from api.query.principal import Grant, Principal
from settings.platform import safe_address
from settings.query import Oidc as Settings

log = logging.getLogger(__name__)

_TIMEOUT = 5.0
_FRESH = 3600.0
"""Seconds for which addresses and keys of the provider are believed."""
_PAUSE = 10.0
"""Seconds between two looks at the provider: tokens with made-up key ids must not make us ask it each time."""
_LONGEST_SUB = 255
"""OpenID Connect Core, 2: sub."""


class TokenRefused(Problem):
    """401: a token that is not let in."""

    def __init__(self, words: str) -> None:
        super().__init__(401, "token_refused", words, {"WWW-Authenticate": 'Bearer error="invalid_token"'})


class NoRole(Problem):
    """403: a good token of a user who was given no role here."""

    def __init__(self) -> None:
        words = "The user has no role here: query.oidc.grants must name one of their groups."
        super().__init__(403, "no_role", words, {"WWW-Authenticate": 'Bearer error="insufficient_scope"'})


class ProviderAway(Problem):
    """503: the provider does not answer, or not as one."""

    def __init__(self, words: str) -> None:
        super().__init__(503, "provider_away", words, {"Retry-After": "5"})


@dataclass(frozen=True, slots=True)
class Leaving:
    """Somebody who is sent to the provider. A page keeps it in their session until they come back, then drops it."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class _Provider:
    """What discovery told, and the keys that sign."""

    metadata: Mapping[str, Any]
    keys: KeySet
    at: float


class Oidc:
    """One provider. Asks it when it is first needed, so that a start needs no network."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._http = httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False)
        self._known: _Provider | None = None
        self._lock = asyncio.Lock()

    async def close(self) -> None:
        """Ends its connections."""
        await self._http.aclose()

    async def bearer(self, token: str) -> Principal:
        """Who bears an access token that is meant for us. Raises Problem."""
        signed = await self._verified(token)
        claims = JWTClaims(signed.claims, signed.header, self._expected(self._settings.expected_audience))
        self._check(claims)
        return self._principal(claims)

    async def leave(self, redirect_uri: str) -> Leaving:
        """Where to send somebody who wants to come in, with PKCE (RFC 7636), state and nonce. Raises Problem."""
        provider = await self._provider()
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        state = secrets.token_urlsafe(24)
        url = prepare_grant_uri(
            provider.metadata["authorization_endpoint"],
            client_id=self._settings.client_id,
            response_type="code",
            redirect_uri=redirect_uri,
            scope=" ".join(self._settings.scopes),
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return Leaving(url, state, nonce, verifier)

    async def come_back(self, leaving: Leaving, redirect_uri: str, address: str) -> Principal:
        """Who came back to `address`, the whole URL that the provider sent them to. Raises Problem."""
        provider = await self._provider()
        self._check_issuer(provider, address)
        try:
            code: str = parse_authorization_code_response(address, leaving.state)["code"]
        except OAuth2Error as wrong:
            log.info("the provider refused a sign-in: %s", type(wrong).__name__)
            raise TokenRefused(
                "The provider did not let the user in, or it is no answer to our question."
            ) from None
        answer = await self._exchange(provider, code, redirect_uri, leaving.verifier)
        if not isinstance(answer.get("id_token"), str):
            raise TokenRefused("The provider's answer has no ID token.")
        signed = await self._verified(answer["id_token"])
        expected = self._expected(self._settings.client_id)
        about = {
            "nonce": leaving.nonce,
            "client_id": self._settings.client_id,
            "access_token": answer.get("access_token"),
        }
        claims = CodeIDToken(signed.claims, signed.header, expected, about)
        self._check(claims)
        if _at(claims, self._settings.claim) is None:
            claims = {**claims, **await self._user_info(provider, answer, claims)}
        return self._principal(claims)

    async def _exchange(
        self, provider: _Provider, code: str, redirect_uri: str, verifier: str
    ) -> dict[str, Any]:
        """The tokens for a code."""
        s = self._settings
        methods = provider.metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if s.client_secret is None:
            client = ClientAuth(s.client_id, None, "none")
        elif "client_secret_basic" in methods:
            # Encoded as RFC 6749, 2.3.1 says: a secret may hold any sign.
            client = ClientAuth(quote_plus(s.client_id), quote_plus(s.client_secret), "client_secret_basic")
        else:
            client = ClientAuth(s.client_id, s.client_secret, "client_secret_post")
        address, headers, body = client.prepare(
            "POST",
            provider.metadata["token_endpoint"],
            {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
            prepare_token_request(
                "authorization_code", redirect_uri=redirect_uri, code=code, code_verifier=verifier
            ),
        )
        return await self._ask("POST", address, headers, body, refused=True)

    def _check_issuer(self, provider: _Provider, address: str) -> None:
        """RFC 9207: against an answer of another provider that this one's user was lured to."""
        issuer = httpx.URL(address).params.get("iss")
        must = provider.metadata.get("authorization_response_iss_parameter_supported") is True
        if (issuer is None and must) or (issuer is not None and issuer != self._settings.issuer):
            raise TokenRefused("The answer is not of the provider that is configured.")

    async def _user_info(
        self, provider: _Provider, answer: Mapping[str, Any], claims: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What the provider tells only there; of the same user (OpenID Connect Core, 5.3.2)."""
        address = provider.metadata.get("userinfo_endpoint")
        if not isinstance(address, str):
            return {}
        told = await self._ask(
            "GET", safe_address(address), {"Authorization": f"Bearer {answer.get('access_token')}"}
        )
        if told.get("sub") != claims.get("sub"):
            raise TokenRefused("The provider told of another user.")
        return told

    async def _verified(self, token: str) -> jwt.Token:
        """A token whose signature is the provider's; nothing it says is checked yet."""
        algorithms = list(self._settings.algorithms)
        for again in (False, True):
            provider = await self._provider(again=again)
            try:
                return jwt.decode(token, provider.keys, algorithms)
            except InvalidKeyIdError:
                continue  # the provider may have a new key
            except (JoseError, ValueError, TypeError):
                break
        raise TokenRefused("The token is not signed by the provider that is configured.")

    def _expected(self, audience: str) -> dict[str, Any]:
        return {
            "iss": {"essential": True, "value": self._settings.issuer},
            "aud": {"essential": True, "value": audience},
            "sub": {"essential": True},
            "exp": {"essential": True},
        }

    def _check(self, claims: Any) -> None:
        now = int(self._clock())
        try:
            claims.validate(now, leeway=int(self._settings.leeway))
            life = claims["exp"] - claims.get("iat", now)
        except (JoseError, ValueError, TypeError) as wrong:
            claim = getattr(wrong, "claim", None)
            of = f" ({claim})" if claim in ("iss", "aud", "exp", "nbf", "iat", "sub", "nonce", "azp") else ""
            raise TokenRefused(f"The token is expired, or not meant for this ledger{of}.") from None
        if life > self._settings.max_life:
            raise TokenRefused("The token lives longer than query.oidc.max_life allows.")

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        sub = claims.get("sub")
        if not isinstance(sub, str) or not sub.isprintable() or not 0 < len(sub) <= _LONGEST_SUB:
            raise TokenRefused("The token's sub is not a text that can stand in the ledger.")
        has = _at(claims, self._settings.claim)
        values = (
            {has} if isinstance(has, str) else set(cast("list[Any]", has) if isinstance(has, list) else ())
        )
        grants = tuple(Grant(g.role, g.tenant) for g in self._settings.grants if g.value in values)
        if not grants:
            log.info("a user of the provider has no role here")
            raise NoRole
        return Principal(f"oidc:{sub}", grants)

    async def _provider(self, *, again: bool = False) -> _Provider:
        """Addresses and keys; `again` to look for keys that are newer than those known."""
        async with self._lock:
            known, now = self._known, self._clock()
            age = now - known.at if known else _FRESH
            if known is None or age >= _FRESH or (again and age >= _PAUSE):
                self._known = known = await self._discover(now)
            return known

    async def _discover(self, now: float) -> _Provider:
        issuer = self._settings.issuer
        metadata = await self._ask("GET", issuer.rstrip("/") + "/.well-known/openid-configuration")
        if metadata.get("issuer") != issuer:
            raise ProviderAway("The identity provider names itself otherwise than query.oidc.issuer does.")
        try:
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                safe_address(metadata[name])
            keys = KeySet.import_key_set(cast("Any", await self._ask("GET", metadata["jwks_uri"])))
        except (KeyError, TypeError, ValueError, AttributeError, JoseError):
            raise ProviderAway(
                "The identity provider's addresses or keys are not as they should be."
            ) from None
        return _Provider(metadata, keys, now)

    async def _ask(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
        *,
        refused: bool = False,
    ) -> dict[str, Any]:
        """An object of JSON. `refused`: a 4xx means that what was sent is not good, not that the provider is away."""
        try:
            answer = await self._http.request(method, address, headers=headers, content=body)
            if refused and answer.is_client_error:
                raise TokenRefused("The provider did not accept the code: sign in again.")
            told = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError, RecursionError) as wrong:
            log.warning("the identity provider does not answer: %s", type(wrong).__name__)
            raise ProviderAway(f"The identity provider does not answer ({type(wrong).__name__}).") from None
        if not isinstance(told, dict):
            raise ProviderAway("The identity provider's answer is not an object.")
        return cast("dict[str, Any]", told)


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of that name, or the one at a dotted path inside others."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        if not isinstance(found, dict) or part not in found:
            return None
        found = cast("dict[str, Any]", found)[part]
    return found
