"""Lets callers in by what their Authorization header bears: a key of ours, or a token of the identity provider."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from api.problems import Problem
from api.query.oidc import Oidc
from api.query.principal import Grant, Principal
from ledger import key_text
from ledger.engine import Engine, before_the_wall
from ledger.key_text import KeyText
from ledger.keys import find_key, note_use

log = logging.getLogger(__name__)

_LONGEST = 8192
"""Characters of an Authorization header; tokens of providers with many groups reach some thousand."""
_NOBODY = bytes(32)


class NotLetIn(Problem):
    """401, with the header that RFC 6750 asks for. `code` and `words` never hold what was sent."""

    def __init__(self, code: str, words: str) -> None:
        said = "Bearer" if code == "no_credential" else 'Bearer error="invalid_token"'
        super().__init__(401, code, words, {"WWW-Authenticate": said})


class Door:
    """Authenticates each call anew: a key that was revoked is out at once."""

    def __init__(self, engine: Engine, oidc: Oidc | None) -> None:
        self._engine = engine
        self._oidc = oidc

    async def let_in(self, authorizations: Sequence[str]) -> Principal:
        """Who bears the one header Authorization. Raises Problem: 401, 403 for a user without a role, 503."""
        if len(authorizations) > 1:
            raise NotLetIn("several_credentials", "The call has more than one Authorization header.")
        credential = _credential(authorizations[0] if authorizations else None)
        if credential.startswith(key_text.PREFIX):
            return await self.by_key(credential)
        if self._oidc is None:
            raise NotLetIn("unknown_key", "The credential is no key of this ledger: those begin with hlk_.")
        return await self._oidc.bearer(credential)

    async def by_key(self, text: str) -> Principal:
        """Who holds this key. Raises NotLetIn, or one of ledger.engine.EngineErrors."""
        given = key_text.read(text)
        if given is None:
            raise NotLetIn("malformed_key", "The key is not whole: its checksum is wrong.")
        return await self._holder(given)

    async def _holder(self, given: KeyText) -> Principal:
        async with before_the_wall(self._engine) as connection:
            kept = await find_key(connection, given.id)
            if not given.fits(kept.hash if kept else _NOBODY) or kept is None:
                log.warning("a key that is not ours: %s", given.id)
                raise NotLetIn("unknown_key", "The key is not known here.")
            if (standing := kept.standing(datetime.now(UTC))) != "good":
                log.warning("key %s was used, but is %s", kept.id, standing)
                raise NotLetIn(f"key_{standing}", f"The key is {standing}: ask for another one.")
            await note_use(connection, kept.id)
        return Principal(f"key:{kept.id}", (Grant(kept.role, kept.tenant),))


def _credential(authorization: str | None) -> str:
    if not authorization or authorization.isspace():
        raise NotLetIn("no_credential", "The call has no credential: send Authorization: Bearer with a key.")
    # Blanks as HTTP knows them (RFC 9110, 5.6.3): others are of the credential, and make it a wrong one.
    scheme, _, credential = authorization.strip(" \t").partition(" ")
    if scheme.lower() != "bearer" or len(authorization) > _LONGEST:
        raise NotLetIn("no_credential", "The Authorization header must be Bearer with a key or a token.")
    return credential.strip(" \t")
