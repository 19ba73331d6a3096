"""What authentication ends in: the caller of a good token, or the refusal of another one."""

from dataclasses import dataclass

# What the caller is told; hints are for the operator alone (`words`).
_PUBLIC = {
    "missing_token": "The call carries no token: send Authorization: Bearer.",
    "several": "The call carries more than one Authorization header.",
    "malformed": "The token is not a well-formed JSON Web Token.",
    "unknown_algorithm": "The token's algorithm is not the one agreed on.",
    "bad_signature": "The token's signature does not verify.",
    "no_expiry": "The token has no expiry.",
    "expired": "The token has expired.",
    "not_yet_valid": "The token is not valid yet.",
    "too_long_a_life": "The token lives longer than is allowed.",
    "wrong_tenant": "The token is not of a tenant that is configured here.",
    "proof_refused": "The platform does not accept the token.",
    "address": "Calls are not taken from this address.",
    "proof_unavailable": "The token cannot be checked at the moment.",
}


class Refusal(Exception):
    """A call that is not let in.

    `reason` is stable and for programs, `public` a sentence for the caller, `words` one with hints for the
    operator (ids of tenants and names of keys, never token material). `tenant` is the configured tenant that
    the call asserts to be of, if any.
    """

    def __init__(self, reason: str, words: str = "", *, tenant: str | None = None, status: int = 401) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.public = _PUBLIC[reason]
        self.words = words or self.public
        self.tenant = tenant

    @classmethod
    def several(cls) -> "Refusal":
        """More than one Authorization header."""
        return cls("several")

    @classmethod
    def elsewhere(cls, address: str, tenant: str | None) -> "Refusal":
        """An address that is not on a list, of the tenant or of all."""
        words = f"The call came from {address or 'nowhere'}, which is not on the list."
        return cls("address", words, tenant=tenant, status=403)

    @property
    def headers(self) -> dict[str, str]:
        """RFC 6750, section 3: no error code when the call carries no token at all."""
        if self.reason == "missing_token":
            return {"WWW-Authenticate": "Bearer"}
        if self.reason == "address":
            return {}  # no other token would help
        if self.status == 503:
            return {"Retry-After": "5"}
        error = "insufficient_scope" if self.status == 403 else "invalid_token"
        return {"WWW-Authenticate": f'Bearer error="{error}"'}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a verified token speaks for. `tenant` is proven; the rest is *asserted*: a token binds no caller."""

    tenant: str
    """Its name in the configuration."""
    actor: str
    """The claim `sub`, empty if there is none."""
    user_id: str | None
    delegatee: str | None
    key_name: str
    """The key that verified it, or `proof`."""
    fingerprint: str
    """Stands for the token in records: a keyed hash, 32 hex digits."""
