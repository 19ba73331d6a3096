"""The listener on which the ledger is asked over HTTP, and who may ask by an identity provider: `[query]`."""

import re
from collections.abc import Collection
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from settings.addresses import Proxies
from settings.console import Console
from settings.mistakes import Mistake, TableError
from settings.platform import safe_address
from settings.references import ReferencedIfThere
from settings.table import Table
from settings.tls import Tls

Role = Literal["auditor", "operator", "admin"]
"""Each may what those before it may: an auditor reads, an operator also redrives, an admin also makes keys."""

Text = Annotated[str, Field(min_length=1, max_length=200)]
_Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
_Many = Annotated[int, Field(ge=1, le=1000)]


class Grant(Table):
    """What one value of the role claim gives: a role in one tenant, or in all of them if none is named."""

    value: Text
    role: Role
    tenant: str | None = None


class Oidc(Table):
    """An OpenID Connect provider whose users may ask.

    audience: whom access tokens are for; client_id if left out. claim: where roles or groups stand in a token, a dotted
    path for one inside another (realm_access.roles). algorithms: what its tokens may be signed with.
    """

    issuer: str
    client_id: Text
    client_secret: Annotated[str | None, ReferencedIfThere] = Field(default=None, repr=False)
    audience: str = ""
    scopes: tuple[Text, ...] = ("openid", "profile")
    claim: Text = "groups"
    grants: Annotated[tuple[Grant, ...], Field(min_length=1)]
    algorithms: Annotated[
        tuple[
            Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"],
            ...,
        ],
        Field(min_length=1),
    ] = ("RS256", "ES256", "EdDSA")
    leeway: Annotated[float, Field(ge=0, le=300)] = 30
    max_life: Annotated[float, Field(gt=0, le=86_400)] = 3600

    @field_validator("issuer")
    @classmethod
    def _is_safe(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.query or parts.fragment:
            raise ValueError("must be the issuer as its tokens name it, without ? and #")
        return safe_address(url)

    @field_validator("scopes")
    @classmethod
    def _are_openid(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in scopes or not all(re.fullmatch(r"[!#-\[\]-~]+", scope) for scope in scopes):
            raise ValueError('must have "openid" among them, and no blanks within one (RFC 6749, 3.3)')
        return scopes

    @property
    def expected_audience(self) -> str:
        return self.audience or self.client_id


class Query(Table):
    """The listener for those who ask. Times are seconds.

    connections: to the store, apart from those of the answer path. most_connections: of callers, at a time.
    longest: for one streamed answer.
    rate, burst, concurrent: calls per second, at once, and under way, of one key or user.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8081
    tls: Tls | None = None
    forwarded_allow_ips: Proxies = "127.0.0.1"
    connections: _Many = 4
    most_connections: _Many = 200
    statement_timeout: _Seconds = 30
    longest: _Seconds = 900
    rate: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)] = 10
    burst: _Many = 20
    concurrent: _Many = 4
    oidc: Oidc | None = None
    console: Console = Console()

    def check_grants(self, tenants: Collection[str]) -> None:
        """Raises TableError for a grant in a tenant that is not configured."""
        grants = self.oidc.grants if self.oidc else ()
        words = f"is no tenant that is configured here; those are {', '.join(tenants)}"
        found: list[Mistake] = [
            (("oidc", "grants", place, "tenant"), words)
            for place, grant in enumerate(grants)
            if grant.tenant is not None and grant.tenant not in tenants
        ]
        if found:
            raise TableError(*found)
