"""Keys over HTTP: an admin makes, lists and revokes them, for the tenants in which they are one."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.problems import Problem
from api.query.desk import Call
from api.query.formats import Page
from api.query.parameters import read
from api.query.principal import Principal
from ledger import key_text
from ledger.engine import Engine
from ledger.keys import Key, NewKey, NoSuchKey, list_keys, make_key, revoke_key
from runtime.deeds import order
from settings import Settings
from settings.query import Role

LONGEST_LIFE = timedelta(days=366)


class NewKeyAsked(BaseModel):
    """What a key shall be. `tenant` left out: for all tenants."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    role: Role
    tenant: str | None = None
    label: Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,200}$")]
    days: Annotated[int, Field(ge=1, le=LONGEST_LIFE.days)] = 90
    reason: Annotated[str, Field(min_length=1, max_length=2000)]


class Revocation(BaseModel):
    """Which key ends, and why."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    key: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{12}$")]
    reason: Annotated[str, Field(min_length=1, max_length=2000)]


class Keys:
    """The calls about keys."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._tenants = settings.tenants
        self._engine = engine

    async def listing(self, call: Call) -> Response:
        """The keys that are good, of the tenants in which the caller is an admin."""
        may = self._may(call.principal)
        async with self._engine.connect() as connection:
            keys = await list_keys(connection, may)
        return Page({"keys": [_shown(key) for key in keys]})

    async def make(self, call: Call) -> Response:
        """A new key, told this once."""
        asked, who = read(NewKeyAsked, call.body), call.principal
        may = self._may(who)
        if may is not None and (asked.tenant is None or asked.tenant not in may):
            raise Problem(403, "not_allowed", "The caller is no admin of what the key would see.")
        if asked.tenant is not None and asked.tenant not in self._tenants:
            raise Problem(422, "unknown_tenant", "tenant: is none that is configured here.")
        text = key_text.make()
        new = NewKey(text, asked.role, asked.tenant, asked.label, timedelta(days=asked.days))
        async with self._engine.begin() as connection:
            key = await make_key(
                connection,
                new,
                self._tenants,
                lambda tenant: order("key made", who.actor, asked.reason, tenant=tenant),
            )
        return Page({"key": text.text} | _shown(key))

    async def revoke(self, call: Call) -> Response:
        """Ends a key at once."""
        asked, who = read(Revocation, call.body), call.principal
        may = self._may(who)
        try:
            async with self._engine.begin() as connection:
                key = await revoke_key(
                    connection,
                    asked.key,
                    may,
                    self._tenants,
                    lambda tenant: order("key revoked", who.actor, asked.reason, tenant=tenant),
                )
        except NoSuchKey:
            raise Problem(404, "no_such_key", "No key that could be revoked has this id.") from None
        return Page(_shown(key))

    def _may(self, who: Principal) -> tuple[str, ...] | None:
        """The tenants whose keys they keep; None for all, and for keys that see all. Raises Problem 403."""
        if who.everywhere("admin"):
            return None
        tenants = who.tenants("admin", self._tenants)
        if not tenants:
            raise Problem(403, "not_allowed", "Keys are an admin's.")
        return tenants


def _shown(key: Key) -> dict[str, object]:
    kept = {name: value for name, value in asdict(key).items() if name != "hash"}
    return {"state": key.standing(datetime.now(UTC)), **kept}
