"""Users of an OpenID Connect provider: their bearer tokens, and how a page lets them in."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

import httpx
from authlib.oauth2.claims import JWTClaims
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError

from api.problems import Problem
from api.query.code_flow import Leaving, NotLetIn, code_in, leaving, token_request
from api.query.principal import Grant, Principal
from api.query.provider import Provider, ProviderRefuses
from settings.platform import safe_address
from settings.query import Oidc as Settings

log = logging.getLogger(__name__)

_LONGEST_SUB = 255
"""OpenID Connect Core, 2: sub."""
_NAMED = frozenset({"iss", "aud", "exp", "nbf", "iat", "sub", "nonce", "azp", "at_hash"})
"""Claims that a refusal may name: ours to know, not the caller's to choose."""


class TokenRefused(Problem):
    """401: a token that is not let in."""

    def __init__(self, words: str) -> None:
        headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        super().__init__(401, "token_refused", words, headers)


class NoRole(Problem):
    """403: a good token of a user who was given no role here."""

    def __init__(self) -> None:
        words = "The user has no role here: query.oidc.grants must name one of their groups."
        super().__init__(403, "no_role", words, {"WWW-Authenticate": 'Bearer error="insufficient_scope"'})


class Oidc:
    """One provider, as configured."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._provider = Provider(settings.issuer, clock)

    async def close(self) -> None:
        """Ends connections to the provider."""
        await self._provider.close()

    async def bearer(self, token: str) -> Principal:
        """Who bears an access token that is meant for us. Raises Problem."""
        signed = await self._verified(token)
        claims = JWTClaims(signed.claims, signed.header, self._expected(self._settings.expected_audience))
        return self._principal(self._checked(claims))

    async def leave(self, redirect_uri: str) -> Leaving:
        """Where to send somebody who wants to come in, with PKCE, state and nonce. Raises Problem."""
        told = await self._provider.tells()
        return leaving(self._settings, told.metadata["authorization_endpoint"], redirect_uri)

    async def come_back(self, left: Leaving, redirect_uri: str, address: str) -> Principal:
        """Who came back to `address`, the whole URL that the provider sent them to. Raises Problem."""
        metadata = (await self._provider.tells()).metadata
        self._check_issuer(metadata, address)
        try:
            code = code_in(address, left.state)
            request = token_request(self._settings, metadata, code, redirect_uri, left.verifier)
            answer = await self._provider.ask("POST", request.address, request.headers, request.body)
        except (NotLetIn, ProviderRefuses) as wrong:
            log.info("a sign-in was refused: %s", type(wrong).__name__)
            raise TokenRefused("The provider did not let the user in: sign in again.") from None
        claims = await self._id_token(left, answer)
        if _at(claims, self._settings.claim) is None:
            claims = {**claims, **await self._user_info(metadata, answer, claims)}
        return self._principal(claims)

    async def _id_token(self, left: Leaving, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """OpenID Connect Core, 3.1.3.7."""
        if not isinstance(token := answer.get("id_token"), str):
            raise TokenRefused("The provider's answer has no ID token.")
        signed, client = await self._verified(token), self._settings.client_id
        about = {"nonce": left.nonce, "client_id": client, "access_token": answer.get("access_token")}
        return self._checked(CodeIDToken(signed.claims, signed.header, self._expected(client), about))

    def _check_issuer(self, metadata: Mapping[str, Any], address: str) -> None:
        """RFC 9207: against an answer of another provider to which the user was lured."""
        issuer = httpx.URL(address).params.get("iss")
        must = metadata.get("authorization_response_iss_parameter_supported") is True
        if (issuer is None and must) or (issuer is not None and issuer != self._settings.issuer):
            raise TokenRefused("The answer is not of the provider that is configured.")

    async def _user_info(
        self, metadata: Mapping[str, Any], answer: Mapping[str, Any], claims: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What the provider tells only there; of the same user (OpenID Connect Core, 5.3.2)."""
        address = metadata.get("userinfo_endpoint")
        if not isinstance(address, str):
            return {}
        bears = {"Authorization": f"Bearer {answer.get('access_token')}"}
        try:
            told = await self._provider.ask("GET", safe_address(address), bears)
        except (ProviderRefuses, ValueError):
            raise TokenRefused("The provider does not tell of the user.") from None
        if told.get("sub") != claims.get("sub"):
            raise TokenRefused("The provider told of another user.")
        return told

    async def _verified(self, token: str) -> jwt.Token:
        """A token whose signature is the provider's; nothing it says is checked yet."""
        for again in (False, True):
            told = await self._provider.tells(again=again)
            try:
                return jwt.decode(token, told.keys, list(self._settings.algorithms))
            except InvalidKeyIdError:
                continue  # the provider may have a new key
            except (JoseError, ValueError, TypeError, RecursionError):
                break
        raise TokenRefused("The token is not signed by the provider that is configured.")

    def _expected(self, audience: str) -> dict[str, Any]:
        return {
            "iss": {"essential": True, "value": self._settings.issuer},
            "aud": {"essential": True, "value": audience},
            "sub": {"essential": True},
            "exp": {"essential": True},
        }

    def _checked(self, claims: Any) -> Mapping[str, Any]:
        now = int(self._clock())
        try:
            claims.validate(now, leeway=int(self._settings.leeway))
            life = claims["exp"] - claims.get("iat", now)
        except (JoseError, ValueError, TypeError) as wrong:
            claim = getattr(wrong, "claim", None)
            of = f" ({claim})" if claim in _NAMED else ""
            raise TokenRefused(f"The token is expired, or not meant for this ledger{of}.") from None
        if life > self._settings.max_life:
            raise TokenRefused("The token lives longer than query.oidc.max_life allows.")
        return claims

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        sub = claims.get("sub")
        if not isinstance(sub, str) or not sub.isprintable() or not 0 < len(sub) <= _LONGEST_SUB:
            raise TokenRefused("The token's sub is not a text that can stand in the ledger.")
        has = _at(claims, self._settings.claim)
        values = cast("list[Any]", has) if isinstance(has, list) else [has]
        grants = tuple(Grant(g.role, g.tenant) for g in self._settings.grants if g.value in values)
        if not grants:
            log.info("a user of the provider has no role here")
            raise NoRole
        return Principal(f"oidc:{sub}", grants)


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
