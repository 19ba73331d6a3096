"""Every deed of an operator by command: an entry with who did it, and the reason where it can be erased."""

import json

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.engine import Pool
from tests.commands.conftest import Run
from tests.commands.stored import ended, waiting
from tests.support import rows

WHY = ("--reason", "an auditor asked", "--actor", "asha.ops")
DEEDS = {
    "redrive": ("redrive", "{failed}"),
    "skip": ("skip", "{waiting}"),
    "pause": ("pause", "ravi"),
    "resume": ("resume", "ravi"),
    "release brake": ("brake", "release", "--tenant", "as100"),
    "key made": ("key", "new", "--role", "auditor", "--label", "a test", "--tenant", "as100"),
    "key revoked": ("key", "revoke", "{key}"),
    "switched off": ("switch", "off", "mail", "--tenant", "as100"),
    "switched to drop": ("switch", "off", "mail", "--drop", "--for", "2h"),
    "switched to shadow": ("switch", "shadow", "all", "--tenant", "as100"),
    "switched on": ("switch", "on", "notify", "--tenant", "as100"),
    "restored": ("ledger", "restored", "--yes"),
}


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("deed", DEEDS)
async def test_each_is_an_entry(run: Run, pool: Pool, engine: AsyncEngine, deed: str) -> None:
    made = await run("key", "new", "--role", "auditor", "--label", "x", "--tenant", "as100", "--reason", "r")
    failed = await ended(pool, engine, "asha", "failed")
    there = {"failed": str(failed), "waiting": str(await waiting(pool, "ravi")), "key": made.stdout.strip()}
    await pool.execute("INSERT INTO brakes (tenant, stopped_at) VALUES ('as100', now())")

    await run("switch", "off", "notify", "--tenant", "as100", "--reason", "r")

    result = await run(*(word.format(**there) for word in DEEDS[deed]), *WHY)

    assert result.exit_code == 0, result.output
    [entry] = await rows(
        pool,
        "SELECT e.actor, e.tenant, e.detail, b.body FROM entries e JOIN bodies b ON b.delivery = e.delivery "
        "WHERE e.hook = 'operator' AND e.outcome = $1 AND e.actor = 'asha.ops'",
        deed,
    )
    assert entry["tenant"] == "as100"
    assert json.loads(entry["body"])["request"]["reason"] == "an auditor asked"
    assert "auditor asked" not in json.dumps(entry["detail"])
