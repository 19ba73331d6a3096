"""A restored ledger's new line: what it says of the old one, and what verify makes of checkpoints of either."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import pytest

from ledger.handover import begin_line, handover_of, told_of
from ledger.note import Checkpoint, NoteError, open_note
from ledger.restored import Lost, NotRestored
from ledger.tree import Edge
from ledger.verify import Unverifiable
from tests.conftest import TEMPLATE
from tests.ledger.sealing import SEALED, SIGNER, Ledger, database, fill
from tests.support import Servers

OLD = Checkpoint("example.com/ledger", 7, bytes(range(32)))
AT = datetime(2026, 11, 25, 19, 30, 1, tzinfo=UTC)


@pytest.fixture
async def ledger(servers: Servers) -> AsyncGenerator[Ledger]:
    """Restored from a backup of 60 leaves, after 70 had been sealed."""
    async with database(servers, TEMPLATE) as ledger:
        await fill(ledger)
        await ledger.save()
        await ledger.receive(*(f"later{n}" for n in range(6)))
        await ledger.seal()
        yield ledger


async def beyond(ledger: Ledger) -> Checkpoint:
    """The newest head before the disaster, as somebody kept it; then the backup comes back."""
    kept = await ledger.checkpoint(SEALED + 10)
    await ledger.restore()
    return kept


@pytest.mark.parametrize("lost", [None, Lost(7, Checkpoint("example.com/ledger", 9, bytes(32)))])
def test_its_text_is_read_again(lost: Lost | None) -> None:
    told = begin_line(OLD, "example.com/ledger", AT, "0a1b2c3d", lost)

    assert told.checkpoint.origin == "example.com/ledger/restored/20261125T193001Z-0a1b2c3d"
    assert handover_of(told.text()) == told
    assert handover_of(OLD.text()) is None
    note = SIGNER.named(told.checkpoint.origin).sign(told.text())
    assert open_note(note, [SIGNER.verifier]) == told.text()


@pytest.mark.parametrize("old", ["old example.com/ledger 7", "old x y z", "old x 7 AAAA", ""])
def test_a_form_that_is_not_known_is_refused(old: str) -> None:
    with pytest.raises(NoteError):
        handover_of(f"{OLD.text()}restored 2026-11-25T19:30:01Z\n{old}\n")


async def test_without_the_deed_it_is_named_as_ever(ledger: Ledger) -> None:
    kept = await beyond(ledger)
    assert await ledger.found(kept) == ("restored", "checkpoint of 70 leaves kept elsewhere")
    await ledger.receive(*(f"new{n}" for n in range(8)))
    await ledger.seal()

    assert await ledger.found(kept) == ("forked", "checkpoint of 70 leaves kept elsewhere")


async def test_with_the_deed_it_is_told_of_and_the_tree_goes_on(ledger: Ledger) -> None:
    kept = await beyond(ledger)
    before = await ledger.checkpoint(30)
    told = await ledger.restored(kept)
    await ledger.receive(*(f"new{n}" for n in range(8)))
    await ledger.seal()

    assert (told.old.size, str(told.lost)) == (SEALED, "leaves 60 to 69")
    assert (await ledger.verify(before)).findings == []
    verdict = await ledger.verify(before, kept)
    [finding] = verdict.findings
    assert (finding.kind, finding.row) == ("restored", "checkpoint of 70 leaves kept elsewhere")
    assert finding.words.startswith("restored from an older backup, told of on 20")
    assert finding.words.endswith("leaves 60 to 69 are lost")
    newest = await ledger.root.fetchval("SELECT origin FROM checkpoints ORDER BY number DESC LIMIT 1")
    assert newest == told.checkpoint.origin
    assert verdict.checkpoints == await ledger.root.fetchval("SELECT count(*) FROM checkpoints")
    with pytest.raises(Unverifiable, match="told of on"):
        await ledger.verify(since=kept)
    assert (await ledger.verify(since=told.checkpoint)).findings == []


async def test_who_kept_more_than_was_known_is_told_so(ledger: Ledger) -> None:
    kept = await beyond(ledger)
    await ledger.restored()

    [finding] = (await ledger.verify(kept)).findings
    assert finding.words.endswith("leaves 60 to 69 are lost; those from 60 on were not known of then")

    again = await ledger.restored(kept, mark="11111111")
    assert str(again.lost) == "leaves 60 to 69", "not only those beyond the first hand-over"
    [finding] = (await ledger.verify(kept)).findings
    assert finding.words.endswith("leaves 60 to 69 are lost")


async def test_the_line_between_is_not_lost_with_the_one_before_it(ledger: Ledger) -> None:
    """A second hand-over that tells more of the first line says nothing of the second, all of whose leaves are there."""
    kept = await beyond(ledger)
    await ledger.restored()
    await ledger.receive(*(f"new{n}" for n in range(9)))
    size = await ledger.seal()
    between = await ledger.root.fetchrow("SELECT origin, size, root FROM checkpoints WHERE size = $1", size)
    second = await ledger.restored(kept, mark="11111111")

    assert (str(second.lost), size > SEALED) == ("leaves 60 to 69", True)
    assert (await ledger.verify(Checkpoint(*between))).findings == []
    assert [f.kind for f in (await ledger.verify(kept)).findings] == ["restored"]


async def test_a_second_restore_to_before_the_first(ledger: Ledger) -> None:
    await beyond(ledger)
    await ledger.restored()
    await ledger.receive(*(f"new{n}" for n in range(9)))
    await ledger.seal()
    number = await ledger.root.fetchval("SELECT max(number) FROM checkpoints")
    kept = await ledger.root.fetchrow("SELECT origin, size, root FROM checkpoints WHERE number = $1", number)
    await ledger.restore()
    second = await ledger.restored(Checkpoint(*kept), mark="22222222")

    assert second.lost is not None
    assert second.lost.head.origin.endswith("-00000000"), "a line that is not there any more"
    [finding] = (await ledger.verify(Checkpoint(*kept))).findings
    assert (finding.kind, "told of on" in finding.words) == ("restored", True)


async def test_what_was_sealed_on_before_the_deed_is_refused(ledger: Ledger) -> None:
    kept = await beyond(ledger)
    await ledger.receive(*(f"new{n}" for n in range(8)))
    await ledger.seal()

    with pytest.raises(NotRestored, match="sealed on after the restore"):
        await ledger.restored(kept)


async def test_a_new_line_that_nobody_handed_over_to_is_found(ledger: Ledger) -> None:
    await ledger.sql("SET session_replication_role = replica")
    told = begin_line(OLD, SIGNER.verifier.name, AT, "0a1b2c3d", None)
    bare = Checkpoint(told.checkpoint.origin, 70, (await ledger.checkpoint(70)).root)
    signer = SIGNER.named(bare.origin)
    number = await ledger.root.fetchval("SELECT max(number) FROM checkpoints")
    rewrite = "UPDATE checkpoints SET origin = $1, note = $2 WHERE number = $3"
    await ledger.root.execute(rewrite, bare.origin, signer.sign(bare.text()), number)
    verdict = await ledger.verify()
    assert [(f.kind, f.row) for f in verdict.findings] == [("changed", f"checkpoint {number}")]
    assert "no hand-over tells of a restore" in verdict.findings[0].words

    other = begin_line(OLD, SIGNER.verifier.name, AT, "0a1b2c3d", None).text().split("\n", 3)[3]
    await ledger.root.execute(rewrite, bare.origin, signer.sign(bare.text() + other), number)
    assert "does not name the head before it" in (await ledger.verify()).findings[0].words


async def test_nothing_was_sealed_in_the_backup(servers: Servers) -> None:
    async with database(servers, TEMPLATE) as ledger:
        kept = Checkpoint(SIGNER.verifier.name, 5, bytes(range(32)))
        told = await ledger.restored(kept)
        await ledger.seal()

        assert (told.old.size, told.old.root) == (0, Edge().root())
        assert str(told.lost) == "leaves 0 to 4"
        assert (await ledger.verify()).findings == []
        assert told_of(kept, [told]) is told
        assert [f.kind for f in (await ledger.verify(kept)).findings] == ["restored"]
