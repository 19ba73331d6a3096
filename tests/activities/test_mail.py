"""mail against a real SMTP server: what is sent, to whom, and what its answers mean."""

from collections.abc import AsyncGenerator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from activities import Event, Outcome, Refused, Tools, Unavailable
from activities._tools import Configured, Db
from activities.mail import mail
from settings import Store
from tests.activities.desk import an_event
from tests.activities.listeners import Mailbox, smtp_server
from tests.support import write_configuration
from tests.workflows.lifecycle import lifecycle


@pytest.fixture
async def mailbox() -> AsyncGenerator[Mailbox]:
    """A listening mail server."""
    async with smtp_server() as mailbox:
        yield mailbox


async def _mail(mailbox: Mailbox, event: Event, key: str = "k:mail", **settings: Any) -> Outcome:
    async def no_reads(_: object) -> list[Any]:
        return []

    table = {"host": "127.0.0.1", "port": mailbox.port, "from": "no-reply@corp.example"} | settings
    given = Configured({k: v for k, v in table.items() if v is not None})
    async with httpx.AsyncClient() as http:
        return await mail.call([event], Tools(key, 1, Db(no_reads), http, given, lambda: None))


def _of(**user: Any) -> Event:
    return an_event(
        request={"user": {"login": "anna", "firstName": "Anna", "email": "anna@example.com"} | user}
    )


def _only(mailbox: Mailbox) -> EmailMessage:
    [(_, message)] = mailbox.mails
    return message


async def test_it_reaches_the_users_own_address(mailbox: Mailbox) -> None:
    assert (await _mail(mailbox, _of())).word == "mailed"
    [(to, message)] = mailbox.mails
    assert to == ["anna@example.com"]
    assert message["To"] == "anna@example.com"
    assert message["From"] == "no-reply@corp.example"
    assert message["Subject"] == "Your account anna was created"
    assert message.get_content().splitlines() == ["Hello Anna,", "", "your account anna is ready."]
    assert message["Date"].datetime == _of().received_at


async def test_texts_and_a_fixed_address_are_configured(mailbox: Mailbox) -> None:
    await _mail(
        mailbox,
        _of(email=""),
        to="Ops <ops@corp.example>",
        subject="New: $login $nothing",
        text="$firstName ü\n",
    )
    [(to, message)] = mailbox.mails
    assert to == ["ops@corp.example"]
    assert message["Subject"] == "New: anna $nothing"
    assert message.get_content().splitlines() == ["Anna ü"]


@pytest.mark.parametrize("sender", ["no-reply@corp.example", "Corp IT <no-reply@corp.example>"])
async def test_the_messages_id_is_the_key(mailbox: Mailbox, sender: str) -> None:
    for _ in range(2):
        await _mail(mailbox, _of(), "0190-uuid:mail", **{"from": sender})
    assert [m["Message-ID"] for _, m in mailbox.mails] == ["<0190-uuid.mail@corp.example>"] * 2


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "nobody",
        7,
        ["anna@example.com"],
        "anna@example.com, mallory@example.org",
        "anna@example.com\nBcc: mallory@example.org",
        "anna@example.com\r\n",
        "Anna <anna@example.com>",
        "a b@example.com",
        "@",
        "anna@",
        "anna@example.com>\x00",
    ],
)
async def test_what_is_not_one_address(mailbox: Mailbox, address: Any) -> None:
    outcome = await _mail(mailbox, _of(email=address))
    if address == "anna@example.com\r\n":
        assert outcome.word == "mailed"
        assert mailbox.mails[0][0] == ["anna@example.com"]
        return
    assert outcome.word == "no address"
    assert mailbox.mails == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0b", "\x85", "\u2028"], ids=ascii)
async def test_a_name_with_a_line_end_makes_no_header(mailbox: Mailbox, end: str) -> None:
    evil = f"x{end}Bcc: mallory@example.org{end}{end}<b>"
    await _mail(mailbox, _of(login=evil, firstName=evil), subject="Hello $login, $firstName")
    [(to, message)] = mailbox.mails
    assert to == ["anna@example.com"]
    assert message["Bcc"] is None
    assert message["Subject"] == "Hello x Bcc: mallory@example.org <b>, x Bcc: mallory@example.org <b>"
    assert sorted(k.lower() for k in message) == sorted(
        [
            "from",
            "to",
            "subject",
            "date",
            "message-id",
            "content-type",
            "content-transfer-encoding",
            "mime-version",
        ]
    )


@pytest.mark.parametrize("answer", ["421 not now", "450 busy", "451 later", "452 full"])
async def test_4yz_may_succeed_later(mailbox: Mailbox, answer: str) -> None:
    mailbox.at_recipient = [answer]
    with pytest.raises(Unavailable, match=f"SMTP {answer[:3]}"):
        await _mail(mailbox, _of())
    mailbox.at_data = [answer]
    with pytest.raises(Unavailable, match=f"SMTP {answer[:3]}"):
        await _mail(mailbox, _of())
    assert mailbox.mails == []


@pytest.mark.parametrize("answer", ["550 anna@example.com: no such user", "554 spam"])
async def test_5yz_will_not(mailbox: Mailbox, answer: str) -> None:
    mailbox.at_recipient = [answer]
    with pytest.raises(Refused) as error:
        await _mail(mailbox, _of())
    assert str(error.value) == f"SMTP {answer[:3]}"
    mailbox.at_data = [answer]
    with pytest.raises(Refused):
        await _mail(mailbox, _of())


async def test_nobody_there() -> None:
    async with smtp_server() as gone:
        pass
    with pytest.raises(Unavailable):
        await _mail(gone, _of())


async def test_through_a_worker_a_busy_server_gets_it_once(
    mailbox: Mailbox, store: Store, tmp_path: Path, client: Client
) -> None:
    table = f"""[activities.mail]
host = "127.0.0.1"
port = {mailbox.port}
from = "no-reply@corp.example"
to = "ops@corp.example"
"""
    mailbox.at_data = ["451 later"]
    async with lifecycle(write_configuration(tmp_path, store, table), client) as person:
        await person.send("mail")
        assert await person.ended() is WorkflowExecutionStatus.COMPLETED
        assert await person.outcomes() == [(1, "mail", "mailed")]
        delivery = await person.pool.fetchval("SELECT id FROM deliveries WHERE subject = $1", person.subject)
        assert _only(mailbox)["Message-ID"] == f"<{delivery}.mail@corp.example>"


@pytest.mark.parametrize("key", ["host", "from"])
async def test_a_table_that_lacks_something_says_so_and_is_not_retried(mailbox: Mailbox, key: str) -> None:
    with pytest.raises(Refused, match=f"has no {key}: add it, then redrive"):
        await _mail(mailbox, _of(), "k:mail", **{key: None})
