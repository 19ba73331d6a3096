"""Signs the platform's tokens, with nothing but the standard library."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping


class Mint:
    """Tokens with the claims of the page's sample, renewed when half of their life is gone.

    HS256 with header `{"alg":"HS256"}` and neither `typ` nor `kid`, as in the sample. `life` in seconds.
    """

    def __init__(
        self, secret: bytes, tenant: str, life: int = 60, clock: Callable[[], float] = time.time
    ) -> None:
        self._secret, self._tenant, self._life, self._clock = secret, tenant, life, clock
        self._token, self._renew_at = "", 0.0

    def token(self) -> str:
        """A token that is good for at least half of its life."""
        now = self._clock()
        if now >= self._renew_at:
            self._token = self.sign(int(now))
            self._renew_at = now + self._life / 2
        return self._token

    def sign(self, issued_at: int) -> str:
        """A fresh token, issued at this Unix time."""
        claims = {
            "sub": "admin",
            "delegatee": None,
            "delegateeId": None,
            "firstLogin": False,
            "roles": ["ORG_ADMIN", "USER"],
            "tenantId": self._tenant,
            "exp": issued_at + self._life,
            "userId": "66aa00000000000000000f10",
            "iat": issued_at,
        }
        signed = _part({"alg": "HS256"}) + b"." + _part(claims)
        mac = hmac.new(self._secret, signed, hashlib.sha256).digest()
        return (signed + b"." + _base64url(mac)).decode()


def _part(value: Mapping[str, object]) -> bytes:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
