"""What the spool keeps of a call: a whole delivery, or an answer that was given without the store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, TypeAdapter

from api.caller import Caller
from api.heard import Heard
from api.unrecorded import Late
from hooks import by_name
from ledger.receive import Delivery
from rules.policy import Policy
from settings import Settings


@dataclass(frozen=True, slots=True)
class Event:
    """An event that was answered: all that is to be recorded of it, and when."""

    delivery: Delivery
    at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was given without the store. `kept` is the call's JSON, its secrets cut."""

    hook: str
    name: str
    receipt: UUID
    caller: Caller
    source_id: str | None
    kept: str = field(repr=False)
    verdict: str
    codes: tuple[str, ...]
    said: Mapping[str, Any] | None
    rules_hash: str
    at: datetime

    @classmethod
    def of(cls, late: Late) -> "Answer":
        """What of it goes to disk."""
        heard = late.heard
        return cls(
            hook=heard.hook.name,
            name=heard.name,
            receipt=heard.receipt,
            caller=heard.caller,
            source_id=heard.source_id,
            kept=late.kept.decode(),
            verdict=late.verdict,
            codes=late.codes,
            said=late.said,
            rules_hash=heard.policy.hash,
            at=late.at,
        )

    def late(self, settings: Settings, policies: Mapping[str, Policy]) -> Late:
        """As it was, but judged by the rules of today. Raises KeyError if hook or tenant are not known any more."""
        heard = Heard(
            hook=by_name()[self.hook.lower()],
            name=self.name,
            receipt=self.receipt,
            caller=self.caller,
            tenant=settings.tenants[self.caller.tenant],
            policy=policies[self.caller.tenant],
            request={},
            user={},
            raw=b"",
            only_request=True,
            source_id=self.source_id,
        )
        return Late(heard, self.kept.encode(), self.verdict, self.codes, self.said, self.at)


_adapter: TypeAdapter[tuple[Event | Answer]] = TypeAdapter(
    tuple[Event | Answer],
    config=ConfigDict(ser_json_bytes="base64", val_json_bytes="base64", hide_input_in_errors=True),
)


def write(record: Event | Answer) -> bytes:
    """The record as JSON."""
    return _adapter.dump_json((record,))


def read(text: bytes) -> Event | Answer:
    """The record of that JSON. Raises ValueError."""
    return _adapter.validate_json(text)[0]
