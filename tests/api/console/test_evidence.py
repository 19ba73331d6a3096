"""The page of evidence and the brake: what is sealed and verified, and a deed from the overview."""

from ledger.access import FITS, FITS_NOT
from ledger.engine import Engine, Pool
from ledger.receive import receive
from ledger.seal import seal, sealing
from settings import Store
from tests.api.console.verified import SIGNER, verified
from tests.api.console.visiting import signed_in, text_of
from tests.api.query.asking import Desk
from tests.support import delivery, rows

OF = "/console/of/as100"


async def test_shows_the_note_and_who_verified_last(
    desk: Desk, pool: Pool, engine: Engine, store: Store
) -> None:
    async with signed_in(desk, "auditor", "as100") as visitor:
        empty = await visitor.get(f"{OF}/evidence")
        for login in ("a", "b", "c"):
            await receive(pool, delivery(login))
        async with sealing(store) as connection:
            step = await seal(connection, SIGNER, [SIGNER.verifier])
        assert step.head
        await verified(engine, FITS, 3, 0)
        await verified(engine, FITS_NOT, 9, 2, tenant="as200")
        clean = await visitor.get(f"{OF}/evidence")
        overview = await visitor.get(OF)
        await verified(engine, FITS_NOT, 3, 2)
        torn = await visitor.get(f"{OF}/evidence")

    assert "Nothing is sealed yet" in text_of(empty)
    assert "never verified" in text_of(empty)
    assert step.head.note.splitlines()[2] in clean.text
    assert "3 were verified" in text_of(clean)
    assert "os:auditor" in clean.text
    assert "3 entries verified" in text_of(overview)
    assert "found 2 rows that do not fit" in text_of(torn)
    read = "SELECT 1 FROM entries WHERE hook = 'access' AND outcome = 'read'"
    assert await rows(pool, read) == [], "the page tells of nobody"


async def test_an_incident_stands_on_the_overview_of_its_tenant(desk: Desk, pool: Pool) -> None:
    await pool.execute(
        "INSERT INTO incidents (id, tenant, activity, cause, first_seen, last_seen, opened_at)"
        " VALUES (gen_random_uuid(), 'as200', 'mail', 'Unavailable:SMTP <421>', now(), now(), now())"
    )
    async with signed_in(desk, "auditor") as visitor:
        ours, theirs = await visitor.get(OF), await visitor.get("/console/of/as200")

    assert "fails for many people" not in ours.text
    assert "mail fails for many people" in text_of(theirs)
    assert "Unavailable:SMTP &lt;421&gt;" in theirs.text


async def test_the_brake_is_released_by_an_operator_with_a_reason(desk: Desk, pool: Pool) -> None:
    await pool.execute("INSERT INTO brakes (tenant, stopped_at) VALUES ('as100', now()), ('as200', now())")
    async with signed_in(desk, "auditor", "as100") as visitor:
        shown = await visitor.get(OF)
        refused = await visitor.send(OF, f"{OF}/brake", reason="I want it")
    async with signed_in(desk, "operator", "as100") as visitor:
        silent = await visitor.send(OF, f"{OF}/brake", reason="  ")
        other = await visitor.send(OF, "/console/of/as200/brake", reason="not mine")
        done = await visitor.send(OF, f"{OF}/brake", reason="the leavers were meant")
        again = await visitor.send(OF, f"{OF}/brake", reason="once more")

    assert "Release the brake" not in shown.text
    assert (refused.status_code, silent.status_code, other.status_code) == (403, 422, 404)
    assert (done.status_code, done.url.path, "The brake is on" in done.text) == (200, OF, False)
    assert again.status_code == 409
    [entry] = await rows(pool, "SELECT tenant, actor, outcome FROM entries WHERE outcome = 'release brake'")
    assert (entry["tenant"], entry["outcome"]) == ("as100", "release brake")
    assert entry["actor"].startswith("key:")
    [braked] = await rows(pool, "SELECT tenant FROM brakes WHERE stopped_at IS NOT NULL")
    assert braked["tenant"] == "as200"
