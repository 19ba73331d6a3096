"""What the spool keeps is read by every later release: these are records as this one writes them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from api.caller import Caller
from api.spooled import Answer, Event, read, write
from ledger.receive import Delivery, Note, Person, Planned

AT = datetime(2026, 11, 26, 1, 2, 3, 456789, UTC)
EVENT = (
    '[{"delivery":{"id":"00000000-0000-0000-0000-000000000001","tenant":"as100","hook":"postC'
    'reateUser","verdict":"received","body":"{\\"request\\":{\\"user\\":{\\"login\\":\\"a\\"}}}","act'
    'or":"user:1","acting_for":null,"code_version":"c","rules_hash":"r","person":{"login":"a"'
    ',"platform_id":"1","new_subject":"00000000-0000-0000-0000-000000000002","new_workflow":"'
    'w"},"application":null,"creates":false,"fact":false,"identity":null,"check":null,"hold":'
    '"PT10M","values":[["login","a"]],"release":null,"brake":null,"brake_window":"PT1H","conf'
    'irms":["validateUser"],"source_id":null,"twin":"AQ==","work":[{"activity":"creation","la'
    'ne":"bookkeeping","plan":"{}","delay":"PT1.5S","waits":false}],"sealed":"AP8=","sealed_f'
    'or":"P2D","codes":[],"shadowed":[],"patch":null,"notes":[{"outcome":"n","detail":"{}"}],'
    '"wishes":[]},"at":"2026-11-26T01:02:03.456789Z"}]'
)
ANSWER = (
    '[{"hook":"validateUser","name":"validateUser","receipt":"00000000-0000-0000-0000-0000000'
    '00003","caller":{"tenant":"as100","actor":"admin","user_id":"1","delegatee":null,"key_na'
    'me":"current","fingerprint":"f"},"source_id":null,"kept":"{\\"request\\":{}}","verdict":"t'
    'urned away","codes":["rule:x"],"said":{"x":true},"rules_hash":"r","at":"2026-11-26T01:02'
    ':03.456789Z"}]'
)


def test_an_event_is_read_as_it_was() -> None:
    delivery = Delivery(
        id=UUID(int=1),
        tenant="as100",
        hook="postCreateUser",
        verdict="received",
        body='{"request":{"user":{"login":"a"}}}',
        actor="user:1",
        acting_for=None,
        code_version="c",
        rules_hash="r",
        person=Person(login="a", platform_id="1", new_subject=UUID(int=2), new_workflow="w"),
        work=[Planned("creation", "bookkeeping", "{}", timedelta(seconds=1.5), waits=False)],
        sealed=b"\x00\xff",
        sealed_for=timedelta(days=2),
        twin=b"\x01",
        notes=[Note("n", "{}")],
        confirms=["validateUser"],
        values=[("login", "a")],
        hold=timedelta(seconds=600),
    )
    assert write(Event(delivery, AT)) == EVENT.encode()
    found = read(EVENT.encode())
    assert isinstance(found, Event)
    assert (found.delivery.person, found.delivery.sealed, found.at) == (delivery.person, delivery.sealed, AT)
    assert write(found) == EVENT.encode()


def test_an_answer_is_read_as_it_was() -> None:
    caller = Caller("as100", "admin", "1", None, "current", "f")
    answer = Answer(
        "validateUser", "validateUser", UUID(int=3), caller, None, '{"request":{}}', "turned away", ("rule:x",),
        {"x": True}, "r", AT,
    )  # fmt: skip
    assert read(ANSWER.encode()) == answer


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"[{}]", EVENT.encode()[:-5], b"\xff"])
def test_what_is_no_record_is_a_value_error_that_tells_nothing(text: bytes) -> None:
    with pytest.raises(ValueError) as wrong:  # noqa: PT011 - pydantic's own, without what was read
        read(text)
    assert "as100" not in str(wrong.value)
