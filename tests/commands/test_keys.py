"""Keys by command: shown once, listed without their secret, ended at once; each deed an entry with actor and reason."""

import getpass
import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from commands.keys import parse_life
from ledger import key_text
from ledger.engine import Pool
from tests.commands.conftest import Run
from tests.support import rows

NEW = ("key", "new", "--label", "SIEM", "--reason", "the audit")


async def test_a_key_is_shown_once_and_only_its_hash_is_kept(run: Run, pool: Pool) -> None:
    made = await run(*NEW, "--role", "auditor", "--tenant", "as100", "--expires", "7d")

    assert made.exit_code == 0, made.output
    text = made.stdout.strip()
    assert re.fullmatch(key_text.PATTERN, text), "standard output is the key alone, for scripts"
    assert "only time" in made.stderr
    [kept] = await rows(pool, "SELECT * FROM keys")
    assert (kept["id"], kept["role"], kept["tenant"], kept["label"]) == (
        text[4:16],
        "auditor",
        "as100",
        "SIEM",
    )
    life = datetime.fromisoformat(kept["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6.9) < life < timedelta(days=7)
    for table in ("keys", "entries", "deliveries", "bodies"):
        assert text not in str(await rows(pool, f"SELECT * FROM {table}"))
    [entry] = await rows(pool, "SELECT e.*, b.body FROM entries e JOIN bodies b ON b.delivery = e.delivery")
    assert (entry["outcome"], entry["tenant"], entry["actor"]) == (
        "key made",
        "as100",
        f"os:{getpass.getuser()}",
    )
    assert json.loads(entry["body"])["request"]["reason"] == "the audit"
    assert entry["detail"]["key"] == kept["id"]


async def test_keys_are_listed_and_revoked(run: Run, pool: Pool) -> None:
    one = (await run(*NEW, "--role", "operator", "--tenant", "as100")).stdout.strip()
    two = json.loads((await run(*NEW, "--role", "admin", "--all-tenants", "--json")).stdout)

    listed = await run("key", "list")
    assert one[4:16] in listed.stdout
    assert one not in listed.stdout
    assert "never" in listed.stdout

    revoked = await run("key", "revoke", one, "--reason", "its holder left", "--actor", "asha.ops")
    again = await run("key", "revoke", one[4:16], "--reason", "again")
    assert (revoked.exit_code, again.exit_code) == (0, 2)
    assert one not in revoked.output + again.output

    good = [json.loads(line) for line in (await run("key", "list", "--api", "--json")).stdout.splitlines()]
    all_ = [
        json.loads(line)
        for line in (await run("key", "list", "--api", "--all", "--json")).stdout.splitlines()
    ]
    of_the_tenant = await run("key", "list", "--api", "--all", "--tenant", "as100", "--json")
    assert [(k["id"], k["state"], k["tenant"]) for k in good] == [(two["id"], "good", None)]
    assert [(k["id"], k["state"], k["revoked_by"]) for k in all_] == [
        (one[4:16], "revoked", "asha.ops"),
        (two["id"], "good", None),
    ]
    assert one[4:16] in of_the_tenant.stdout
    assert two["id"] not in of_the_tenant.stdout
    assert all("hash" not in k for k in all_)
    entries = await rows(pool, "SELECT outcome, actor FROM entries ORDER BY id")
    assert [e["outcome"] for e in entries] == ["key made", "key made", "key revoked"]
    assert entries[-1]["actor"] == "asha.ops"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--tenant", "as100", "--all-tenants"), "give one of them"),
        ((), "give one of them"),
        (("--tenant", "as999"), "configured are as100"),
        (("--tenant", "as100", "--expires", "2y"), "--expires: a life is"),
        (("--tenant", "as100", "--expires", "367d"), "at most 366d"),
        (("--tenant", "as100", "--label", " "), "--label"),
        (("--tenant", "as100", "--reason", " "), "--reason is empty"),
    ],
)
async def test_what_cannot_be_made_says_why(run: Run, pool: Pool, more: tuple[str, ...], words: str) -> None:
    result = await run(*NEW, "--role", "auditor", *more)

    assert result.exit_code == 2
    assert words in result.stderr
    assert await rows(pool, "SELECT * FROM keys") == []
    assert await rows(pool, "SELECT * FROM entries") == []


@pytest.mark.parametrize(
    ("text", "life"), [("8h", timedelta(hours=8)), (" 90D", timedelta(days=90)), ("52w", timedelta(weeks=52))]
)
def test_lives_are_read(text: str, life: timedelta) -> None:
    assert parse_life(text) == life


@pytest.mark.parametrize("text", ["", "0d", "-1d", "90", "d", "1e9d", "400d", "999999w"])
def test_other_lives_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="at most 366d"):
        parse_life(text)


async def test_the_doctor_names_keys_that_end_soon(run: Run) -> None:
    short = json.loads(
        (await run(*NEW, "--role", "auditor", "--all-tenants", "--expires", "13d", "--json")).stdout
    )
    long = json.loads((await run(*NEW, "--role", "auditor", "--all-tenants", "--json")).stdout)

    report = json.loads((await run("doctor", "--json")).stdout)

    [keys] = [check for check in report["checks"] if check["name"] == "Keys"]
    assert keys["state"] == "note"
    assert f"{short['id']} (SIEM) in 13 days" in keys["words"]
    assert long["id"] not in keys["words"]
