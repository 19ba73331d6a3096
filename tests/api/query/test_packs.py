"""The pack over HTTP and from its page: whose it is, that it can be checked, and what is said instead of it."""

import zipfile
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from api.query.formats import RECEIPT
from ledger.engine import Pool
from ledger.note import Signer
from ledger.receive import receive
from ledger.seal import seal, sealing
from settings import Settings, Store
from tests.api.console.visiting import signed_in, text_of
from tests.api.query.asking import TWO_TENANTS, Desk, listen, make
from tests.ledger.pack.packing import verified
from tests.support import delivery, rows, write_configuration

ORIGIN = "example.com/packs"
SEAL = (
    f'[ledger.seal]\norigin = "{ORIGIN}"\nkeys = [{{ name = "first", secret = {{ file = "seal.key" }} }}]\n'
)
SECRET = bytes(range(32))


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    """With a key to prove by."""
    (tmp_path / "as200.key").write_text(f"as200 {'k' * 48}")
    (tmp_path / "seal.key").write_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")
    return write_configuration(tmp_path, store, f"[query]\nrate = 1000\nburst = 1000\n{SEAL}{TWO_TENANTS}")


@pytest.fixture
async def desk(settings: Settings) -> AsyncGenerator[Desk]:
    """The listener with that key."""
    async with listen(settings) as desk:
        yield desk


async def _sealed(pool: Pool, store: Store) -> None:
    await pool.execute("DELETE FROM unsealed")
    for tenant in ("as100", "as200"):
        for login in ("asha", "ravi"):
            await receive(pool, delivery(f"{login}.{tenant}", tenant=tenant, actor=f"mark-of-{tenant}"))
    signer = Signer(ORIGIN, SECRET)
    async with sealing(store) as connection:
        await seal(connection, signer, [signer.verifier])


def _keep(answer: httpx.Response, folder: Path) -> zipfile.ZipFile:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip"), answer.text[:500]
    (folder / "pack.zip").write_bytes(answer.content)
    return zipfile.ZipFile(folder / "pack.zip")


async def test_one_tenants_pack_can_be_checked_and_is_an_entry(
    desk: Desk, pool: Pool, store: Store, tmp_path: Path
) -> None:
    await _sealed(pool, store)
    key, _ = await make(desk.settings, "auditor", "as100")
    folder = tmp_path / "stranger"
    folder.mkdir()
    answer = await desk.post("/ledger/pack", key, bodies=True)
    with _keep(answer, folder) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())

    assert b"mark-of-as100" in everything
    assert b"as200" not in everything
    assert verified(folder).code == 0
    told = await rows(
        pool, "SELECT outcome, detail FROM entries WHERE delivery = $1 ORDER BY id", answer.headers[RECEIPT]
    )
    assert [entry["outcome"] for entry in told] == ["reading", "read"]
    assert told[1]["detail"]["question"] == "pack"


async def test_what_cannot_be_had_is_a_problem(desk: Desk, pool: Pool, store: Store) -> None:
    key, _ = await make(desk.settings, "auditor", "as100")
    both, _ = await make(desk.settings, "auditor")
    await _sealed(pool, store)
    other = await desk.get("/ledger/pack", key, tenant="as200")
    whose = await desk.get("/ledger/pack", both)
    nobody = await desk.get("/ledger/pack", key, person="nobody.at.all")
    when = await desk.get("/ledger/pack", key, since="yesterday")
    stranger = await desk.get("/ledger/pack")

    told = [(a.status_code, a.json()["type"].rpartition(":")[2]) for a in (other, whose, nobody, when)]
    assert told == [(403, "not_allowed"), (422, "bad_parameters"), (404, "nobody"), (422, "bad_parameters")]
    assert stranger.status_code == 401
    assert "nobody.at.all" not in nobody.text


async def test_the_page_gives_the_same(desk: Desk, pool: Pool, store: Store, tmp_path: Path) -> None:
    await _sealed(pool, store)
    page = "/console/of/as100/export"
    async with signed_in(desk, "auditor", "as100") as visitor:
        form = await visitor.get(page)
        assert '<option value="false" selected>no</option><option value="true">yes</option>' in form.text
        assert ">any<" not in form.text
        answer = await visitor.send(page, page, person="asha.as100")
        nobody = await visitor.send(page, page, person="nobody.at.all")
        wrong = await visitor.send(page, page, since="yesterday")
        forged = await visitor.post(page, proof="0" * 64)
    with _keep(answer, tmp_path) as archive:
        entries = archive.read("entries.jsonl")

    assert entries.count(b"\n") == 1
    assert (nobody.status_code, wrong.status_code, forged.status_code) == (404, 422, 403)
    assert "since: must be a time" in text_of(wrong)


async def test_without_a_key_nothing_can_be_proved(store: Store, tmp_path: Path) -> None:
    async with listen(write_configuration(tmp_path, store)) as desk:
        key, _ = await make(desk.settings, "auditor", "as100")
        answer = await desk.get("/ledger/pack", key)

    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (409, "no_key")
