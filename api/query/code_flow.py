"""The authorization code flow with PKCE (RFC 6749, 7636), as Authlib spells it: what is sent, and what came back."""

# Authlib has no types.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.rfc6749.parameters import (
    parse_authorization_code_response,
    prepare_grant_uri,
    prepare_token_request,
)
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from settings.query import Oidc as Settings


@dataclass(frozen=True, slots=True)
class Leaving:
    """Somebody who is sent to the provider. A page keeps it in their session until they come back, then drops it."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True, repr=False)
class TokenRequest:
    """What is posted to the provider for a code; holds the client's secret."""

    address: str
    headers: Mapping[str, str]
    body: str


class NotLetIn(Exception):
    """The provider did not let the user in, or the address is no answer to our question."""


def leaving(settings: Settings, endpoint: str, redirect_uri: str) -> Leaving:
    """Where to send somebody."""
    state, nonce, verifier = (secrets.token_urlsafe(n) for n in (24, 24, 48))
    url = prepare_grant_uri(
        endpoint,
        client_id=settings.client_id,
        response_type="code",
        redirect_uri=redirect_uri,
        scope=" ".join(settings.scopes),
        state=state,
        nonce=nonce,
        code_challenge=create_s256_code_challenge(verifier),
        code_challenge_method="S256",
    )
    return Leaving(str(url), state, nonce, verifier)


def code_in(address: str, state: str) -> str:
    """The code in the address to which somebody came back. Raises NotLetIn."""
    try:
        return str(parse_authorization_code_response(address, state)["code"])
    except OAuth2Error:
        raise NotLetIn from None


def token_request(
    settings: Settings, metadata: Mapping[str, Any], code: str, redirect_uri: str, verifier: str
) -> TokenRequest:
    """How a code becomes tokens."""
    address, headers, body = _client(settings, metadata).prepare(
        "POST",
        metadata["token_endpoint"],
        {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
        prepare_token_request(
            "authorization_code", redirect_uri=redirect_uri, code=code, code_verifier=verifier
        ),
    )
    return TokenRequest(address, headers, body)


def _client(settings: Settings, metadata: Mapping[str, Any]) -> ClientAuth:
    methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    id_, secret = settings.client_id, settings.client_secret
    if secret is None:
        return ClientAuth(id_, None, "none")
    if "client_secret_basic" in methods:
        # Encoded as RFC 6749, 2.3.1 says: a secret may hold any sign.
        return ClientAuth(quote_plus(id_), quote_plus(secret), "client_secret_basic")
    return ClientAuth(id_, secret, "client_secret_post")
