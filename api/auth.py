"""Who calls: verifies the platform's tokens per tenant, and says in words why one is refused."""

import contextlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from typing import Any

import jwt
from jwt.algorithms import HMACAlgorithm

from api.caller import Caller, Refusal
from api.proof import Prover, Verdict
from api.tokens import Opened, asserted, bearer, instant, open_token
from settings import ConfigError, Key, Settings, Tenant, from_base64
from settings.addresses import is_listed

__all__ = ["Caller", "Refusal", "Verifier", "mint"]

_HASHES = {
    "HS256": HMACAlgorithm(HMACAlgorithm.SHA256),
    "HS384": HMACAlgorithm(HMACAlgorithm.SHA384),
    "HS512": HMACAlgorithm(HMACAlgorithm.SHA512),
}


class Verifier:
    """Verifies tokens against the tenants' keys and remembers the verified ones until they expire.

    `use` changes the keys: what another key had verified is forgotten.
    """

    def __init__(
        self,
        tenants: Mapping[str, Tenant],
        *,
        fingerprint_key: bytes,
        clock: Callable[[], float] = time.time,
        remembered: int = 10_000,
        skew: Callable[[float], object] | None = None,
    ) -> None:
        """`skew` is told how old each genuine token is when it is first seen, in seconds: below zero, the clocks differ."""
        self._tenants: dict[str, Tenant] = {}
        self._known: OrderedDict[str, tuple[Caller, float]] = OrderedDict()
        self.use(tenants)
        self._key = blake2b(fingerprint_key, digest_size=32, person=b"hookledger token").digest()
        self._clock = clock
        self._remembered = remembered
        self._prover = Prover()
        self._skew = skew

    def use(self, tenants: Mapping[str, Tenant]) -> None:
        """Verifies by these from the next call on. Raises ConfigError, and then goes on as before.

        Of a tenant whose `token` changed nothing is remembered: who was verified by a key that is gone is so no more.
        """
        keys = {name: list(_prepared(name, tenant)) for name, tenant in tenants.items()}
        before, self._tenants = self._tenants, dict(tenants)
        self._names = {tenant.token.tenant_id or name: name for name, tenant in tenants.items()}
        self._keys = keys
        same = {
            name for name, tenant in tenants.items() if name in before and before[name].token == tenant.token
        }
        for fingerprint in [f for f, (caller, _) in self._known.items() if caller.tenant not in same]:
            del self._known[fingerprint]

    def verify(self, authorization: str | None) -> Caller:
        """The caller of a header that a configured key signed. Raises Refusal; asks nobody."""
        token = bearer(authorization)
        fingerprint = self._fingerprint(token)
        return self._recall(fingerprint) or self._check(open_token(token, fingerprint))

    async def authenticate(self, authorization: str | None, address: str = "") -> Caller:
        """Like verify, and for a tenant with `token.proof` also asks the platform, once per token.

        `address` is where the call came from.
        """
        token = bearer(authorization)
        fingerprint = self._fingerprint(token)
        if caller := self._recall(fingerprint):
            return caller
        opened = open_token(token, fingerprint)
        try:
            return self._check(opened)
        except Refusal as refusal:
            if refusal.reason != "bad_signature" or not (name := refusal.tenant):
                raise
            if not (proof := self._tenants[name].token.proof):
                raise
        return await self._prove(name, proof.url, opened, address)

    async def _prove(self, name: str, url: str, opened: Opened, address: str) -> Caller:
        """The caller of a token that the platform itself accepts; Refusal with status 503 if it cannot say.

        Anybody can make a token up that comes this far: the platform is asked only for who may call for the tenant.
        """
        until, token = self._check_times(name, opened.claims), self._tenants[name].token
        if (listed := self._tenants[name].allow) and not is_listed(address, listed):
            raise Refusal.elsewhere(address, name)
        answer = await self._prover.ask(url, opened.token, opened.fingerprint, address)
        if answer.verdict is Verdict.UNKNOWN:
            raise Refusal("proof_unavailable", f"Not proven: {answer.words}.", tenant=name, status=503)
        if answer.verdict is not Verdict.ACCEPTED:
            status = 403 if answer.verdict is Verdict.FORBIDDEN else 401
            raise Refusal("proof_refused", f"Not proven: {answer.words}.", tenant=name, status=status)
        self._tell_age(name, opened.claims)
        caller = self._caller(name, "proof", opened)
        # Changed meanwhile: asked again at the next call.
        return caller if self._tenants[name].token != token else self._remember(caller, until)

    async def close(self) -> None:
        """Ends what is being asked of the platform."""
        await self._prover.close()

    def _fingerprint(self, token: str) -> str:
        return blake2b(token.encode("utf-8", "replace"), key=self._key, digest_size=16).hexdigest()

    def _recall(self, fingerprint: str) -> Caller | None:
        if (known := self._known.get(fingerprint)) is None:
            return None
        if self._clock() >= known[1]:
            del self._known[fingerprint]
            return None
        self._known.move_to_end(fingerprint)
        return known[0]

    def _caller(self, name: str, key_name: str, opened: Opened) -> Caller:
        claims = opened.claims
        return Caller(
            tenant=name,
            actor=asserted(claims, "sub") or "",
            user_id=asserted(claims, "userId"),
            delegatee=asserted(claims, "delegatee"),
            key_name=key_name,
            fingerprint=opened.fingerprint,
        )

    def _remember(self, caller: Caller, until: float) -> Caller:
        self._known[caller.fingerprint] = (caller, until)
        if len(self._known) > self._remembered:
            self._known.popitem(last=False)
        return caller

    def _check(self, opened: Opened) -> Caller:
        tenant_id = asserted(opened.claims, "tenantId")
        name = self._names.get(tenant_id) if tenant_id else None
        if name is None:
            raise self._unknown_tenant(tenant_id, opened)
        algorithm = self._tenants[name].token.algorithm
        if opened.header.get("alg") != algorithm:
            raise Refusal("unknown_algorithm", f"The token is not signed with {algorithm}.", tenant=name)
        for key_name, key in self._keys[name]:
            if _HASHES[algorithm].verify(opened.signed, key, opened.signature):
                self._tell_age(name, opened.claims)
                until = self._check_times(name, opened.claims)
                return self._remember(self._caller(name, key_name, opened), until)
        raise self._bad_signature(name, opened)

    def _tell_age(self, name: str, claims: Mapping[str, Any]) -> None:
        """Of a token that is genuine: whoever makes one up would move the alert for clocks."""
        issued = instant(claims, "iat", name)
        if self._skew is not None and issued is not None:
            self._skew(self._clock() - issued)

    def _check_times(self, name: str, claims: Mapping[str, Any]) -> float:
        """Until when the token may be used, in Unix seconds. Raises Refusal."""
        token, now = self._tenants[name].token, self._clock()
        expires, issued, begins = (instant(claims, claim, name) for claim in ("exp", "iat", "nbf"))
        if expires is None:
            raise Refusal("no_expiry", tenant=name)
        if (life := expires - (now if issued is None else issued)) > token.max_life:
            words = f"The token lives {life:.0f} s; token.max_life allows {token.max_life:.0f} s."
            raise Refusal("too_long_a_life", words, tenant=name)
        if (ahead := max(issued or 0.0, begins or 0.0) - now) > token.leeway:
            words = f"The token is from {ahead:.0f} s in the future: clock skew of {ahead:.0f} s."
            raise Refusal("not_yet_valid", f"{words} Set this host's clock.", tenant=name)
        if now >= expires + token.leeway:
            age = "" if issued is None else f", {now - issued:.0f} s after it was issued"
            words = f"The token expired {now - expires:.0f} s ago{age}"
            raise Refusal("expired", f"{words}: if it was fresh, the clocks differ.", tenant=name)
        return expires + token.leeway

    def _bad_signature(self, name: str, opened: Opened) -> Refusal:
        """Why the signature may be wrong; looked into only now that it is."""
        for key in self._tenants[name].token.keys:
            for other, hint in _readings(key):
                if _signed_with(other, opened):
                    return Refusal("bad_signature", f"Key {key.name} would verify {hint}.", tenant=name)
        if signer := self._signer(opened):
            words = f"The token is signed with a key of tenants.{signer} but says it is of tenants.{name}."
            return Refusal("wrong_tenant", words, tenant=name, status=403)
        words = (
            "The token is signed with a key that is not configured: compare it with the platform's screen."
        )
        return Refusal("bad_signature", words, tenant=name)

    def _unknown_tenant(self, tenant_id: str | None, opened: Opened) -> Refusal:
        if tenant_id is None:
            return Refusal("wrong_tenant", "The token names no tenantId.")
        # Only what looks like an id is repeated.
        shown = tenant_id if re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", tenant_id) else "in the token"
        words = f"tenantId {shown} is not configured"
        if signer := self._signer(opened):
            words += f", but a key of tenants.{signer} signed the token: is it that tenant's token.tenant_id?"
            return Refusal("wrong_tenant", words, tenant=signer, status=403)
        return Refusal("wrong_tenant", f"{words}.")

    def _signer(self, opened: Opened) -> str | None:
        """The tenant whose key did sign it."""
        for name, tenant in self._tenants.items():
            if opened.header.get("alg") == tenant.token.algorithm and any(
                _signed_with(key, opened) for _, key in self._keys[name]
            ):
                return name
        return None


def mint(
    tenant: str,
    settings: Settings,
    *,
    life: float = 60,
    subject: str = "admin",
    user_id: str = "000000000000000000000000",
) -> str:
    """A token for development with the claims of the platform's page. `life` in seconds. Raises ConfigError."""
    token = settings.tenants[tenant].token
    if not token.keys:
        raise ConfigError(f"tenants.{tenant}.token.keys: is empty, so there is nothing to sign a token with")
    now = int(time.time())
    claims = {
        "sub": subject,
        "delegatee": None,
        "delegateeId": None,
        "firstLogin": False,
        "roles": ["ORG_ADMIN", "USER"],
        "tenantId": token.tenant_id,
        "exp": now + int(life),
        "userId": user_id,
        "iat": now,
    }
    return jwt.encode(claims, token.keys[0].material, algorithm=token.algorithm, headers={"typ": None})


def _prepared(name: str, tenant: Tenant) -> Iterator[tuple[str, bytes]]:
    for key in tenant.token.keys:
        try:
            yield key.name, _HASHES[tenant.token.algorithm].prepare_key(key.material)
        except jwt.InvalidKeyError:
            words = "is a public key, a certificate or a JWK, which others may know: use a shared secret"
            raise ConfigError(f"tenants.{name}.token.keys: {key.name} {words}") from None


def _readings(key: Key) -> Iterator[tuple[bytes, str]]:
    """Other ways in which a configured secret may be meant."""
    if key.encoding == "base64":
        yield key.secret.encode(), 'with the secret as raw text: set its encoding = "raw"'
    else:
        with contextlib.suppress(ValueError):
            yield from_base64(key.secret), 'with the base64-decoded secret: set its encoding = "base64"'
        yield key.secret.strip().encode(), "without the white space around the secret"


def _signed_with(key: bytes, opened: Opened) -> bool:
    algorithm = _HASHES.get(str(opened.header.get("alg")))
    return algorithm is not None and algorithm.verify(opened.signed, key, opened.signature)
