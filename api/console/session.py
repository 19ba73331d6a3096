"""Who has signed in: a random text in a cookie, its hash in the store; it ends with its key, with time, or by signing out."""

import hmac
import logging
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b, sha256

from api.query.principal import Grant, Principal
from ledger.engine import Engine, before_the_wall
from ledger.sessions import Begun, begin_session, end_session, find_session
from settings.query import Query

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is good now."""

    principal: Principal
    token: str = field(repr=False)

    @property
    def proof(self) -> str:
        """What every form of this session carries."""
        return proof_of(self.token)


def proof_of(token: str) -> str:
    """A text that only pages of ours can know of a cookie that scripts cannot read."""
    return blake2b(token.encode(), digest_size=24, person=b"hookledger form").hexdigest()


def proves(shown: str, token: str) -> bool:
    """Whether a form carried the proof of this cookie."""
    return hmac.compare_digest(shown.encode(errors="replace"), proof_of(token).encode())


def new_token() -> str:
    """256 bits."""
    return secrets.token_urlsafe(32)


class Sessions:
    """Those of one installation: any process knows them."""

    def __init__(self, engine: Engine, query: Query) -> None:
        self._engine = engine
        self._idle = timedelta(seconds=query.console.idle)
        self._longest = timedelta(seconds=query.console.longest)
        self._given = {Grant(g.role, g.tenant) for g in query.oidc.grants} if query.oidc else set[Grant]()

    async def begin(self, principal: Principal, before: str | None) -> str:
        """A new session's token; the one that the browser had `before` is good no more. Raises EngineErrors."""
        token, key = new_token(), _key_of(principal)
        grants = [] if key else [(grant.role, grant.tenant) for grant in principal.grants]
        async with before_the_wall(self._engine) as connection:
            if before:
                await end_session(connection, _hash(before))
            begun = Begun(_hash(token), principal.actor, key, grants, self._longest)
            await begin_session(connection, begun)
        log.info("%s signed in at the console", principal.actor)
        return token

    async def find(self, token: str | None) -> Session | None:
        """The session of a cookie. Raises EngineErrors."""
        if not token:
            return None
        async with before_the_wall(self._engine) as connection:
            good = await find_session(connection, _hash(token), self._idle)
        if good is None:
            return None
        grants = tuple(Grant(role, tenant) for role, tenant in good.grants)  # pyright: ignore[reportArgumentType]
        if good.key is None:
            # What the configuration has taken away since, nobody keeps until they sign in again.
            grants = tuple(grant for grant in grants if grant in self._given)
        return Session(Principal(good.actor, grants), token) if grants else None

    async def end(self, token: str) -> None:
        """Good no more. Raises EngineErrors."""
        async with before_the_wall(self._engine) as connection:
            await end_session(connection, _hash(token))


def _key_of(principal: Principal) -> str | None:
    kind, _, id_ = principal.actor.partition(":")
    return id_ if kind == "key" else None


def _hash(token: str) -> bytes:
    return sha256(b"hookledger session\x00" + token.encode(errors="replace")).digest()
