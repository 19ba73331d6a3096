"""The platform's tokens, taken apart with suspicion and without belief: RFC 7515, 7519, 8725."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from api.caller import Refusal

LONGEST = 8192
"""Characters of an Authorization header. A platform token has about 400."""

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """A token taken apart, nothing of it believed yet."""

    token: str
    fingerprint: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes


def bearer(authorization: str | None) -> str:
    """The token in an Authorization header, unread. Raises Refusal."""
    if not authorization or authorization.isspace():
        raise Refusal("missing_token")
    if len(authorization) > LONGEST:
        raise Refusal("malformed", f"The Authorization header is longer than {LONGEST} characters.")
    scheme, _, token = authorization.strip(" \t").partition(" ")
    if scheme.lower() != "bearer":
        raise Refusal("missing_token", "The call's Authorization header is not of the scheme Bearer.")
    return token.strip(" ")


def open_token(token: str, fingerprint: str) -> Opened:
    """Takes a token apart. Keys that a header names or points to (kid, jku, x5u, jwk) are never looked at."""
    if not (parts := _COMPACT.fullmatch(token)):
        raise Refusal("malformed")
    try:
        header, claims, signature = _object(parts[1]), _object(parts[2]), _decoded(parts[3])
    except (ValueError, RecursionError):
        raise Refusal("malformed") from None
    if "crit" in header:
        raise Refusal("malformed", "The token's header has crit, which nobody here understands (RFC 7515).")
    return Opened(token, fingerprint, header, claims, token[: parts.end(2)].encode(), signature)


def _object(part: str) -> dict[str, Any]:
    value = _json.decode(_decoded(part).decode())
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 -- malformed, like everything else here
    return cast("dict[str, Any]", value)


def _decoded(part: str) -> bytes:
    """Raises ValueError for a second spelling of the same octets: one token, one fingerprint."""
    decoded = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() != part:
        raise ValueError("not canonical")
    return decoded


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers may each believe another one of doubled claims."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice")
    return found


def _no_number(_: str) -> Any:
    raise ValueError("not a number")


_json = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number)


def instant(claims: Mapping[str, Any], claim: str, tenant: str) -> float | None:
    """A claim in Unix seconds, None if it is not there. Raises Refusal."""
    value = claims.get(claim)
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12:
        return float(value)
    words = f"The claim {claim} is not a time in seconds since 1970 (milliseconds, perhaps)."
    raise Refusal("malformed", words, tenant=tenant)


def asserted(claims: Mapping[str, Any], claim: str) -> str | None:
    """A claim as text that Postgres can hold, None if it is none."""
    value = claims.get(claim)
    return _UNSTORABLE.sub("\ufffd", value) if isinstance(value, str) else None
