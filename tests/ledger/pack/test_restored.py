"""A pack of a ledger that came back from a backup: it verifies alone, names what was lost, and no forged hand-over passes."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ledger.note import Checkpoint, Signer, open_checkpoint
from tests.conftest import TEMPLATE
from tests.ledger.pack.packing import Files, files_of, packed, verified, write
from tests.ledger.sealing import SEALED, SIGNER, WAITING, Ledger, database, fill
from tests.support import Servers

LOST = SEALED + 10
KEY = ("--key", str(SIGNER.verifier))
OTHER = Signer(SIGNER.verifier.name, bytes(32))


@asynccontextmanager
async def restoring(servers: Servers) -> AsyncGenerator[Ledger]:
    """A ledger of 70 leaves, of which a backup has 60."""
    async with database(servers, TEMPLATE) as ledger:
        await fill(ledger)
        await ledger.save()
        await ledger.receive(*(f"later{n}" for n in range(6)))
        await ledger.seal()
        yield ledger


@pytest.fixture
async def ledger(servers: Servers) -> AsyncGenerator[Ledger]:
    """One for each test."""
    async with restoring(servers) as ledger:
        yield ledger


async def note(ledger: Ledger, size: int) -> str:
    """The first checkpoint of that size."""
    return await ledger.root.fetchval(
        "SELECT note FROM checkpoints WHERE size = $1 ORDER BY number LIMIT 1", size
    )


async def came_back(ledger: Ledger, *, told: bool = True) -> str:
    """Restores it and seals on; gives the note that somebody had kept of what is lost."""
    kept, head = await note(ledger, LOST), await ledger.checkpoint(LOST)
    await ledger.restore()
    await ledger.restored(*([head] if told else []))
    await ledger.receive(*(f"new{n}" for n in range(8)))
    await ledger.seal()
    return kept


@pytest.fixture(scope="module")
async def made(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[tuple[Files, str]]:
    """A pack after a restore, and a note of what was lost by it."""
    async with restoring(servers) as ledger:
        kept = await came_back(ledger)
        pack = tmp_path_factory.mktemp("pack") / "pack.zip"
        await packed(ledger, pack)
        yield files_of(pack), kept


@pytest.fixture
def restored(made: tuple[Files, str]) -> Files:
    """The files of such a pack."""
    return made[0]


@pytest.fixture
def kept(made: tuple[Files, str]) -> str:
    """What somebody had kept of its lost line."""
    return made[1]


async def test_a_stranger_checks_it_with_python_alone(ledger: Ledger, tmp_path: Path) -> None:
    await came_back(ledger)
    made = await packed(ledger, tmp_path / "pack.zip", bodies=True)
    files = files_of(tmp_path / "pack.zip")

    alone = verified(tmp_path)
    assert (alone.code, made.rows) == (0, SEALED + WAITING + 8 + 1)
    assert "goes on from 60 leaves; leaves 60 to 69 are lost" in alone.words
    surer = verified(tmp_path, "pack.zip", *KEY, "--json")
    assert (surer.code, surer.told["not_checked"]) == (0, [])
    [restore] = surer.told["restores"]
    assert (restore["goes_on_from"], restore["lost_from"]) == (SEALED, SEALED)
    origins = {line.partition("+")[0] for line in files["keys.txt"].decode().splitlines()}
    assert origins == {SIGNER.verifier.name, made.checkpoint.origin}


async def test_the_hand_over_is_the_newest_checkpoint(ledger: Ledger, tmp_path: Path) -> None:
    """Old head and hand-over are of one size."""
    await ledger.restore()
    told = await ledger.restored()
    made = await packed(ledger, tmp_path / "pack.zip")

    sizes = [
        json.loads(line)["size"] for line in files_of(tmp_path / "pack.zip")["checkpoints.jsonl"].splitlines()
    ]
    assert (made.checkpoint, sizes) == (told.checkpoint, [SEALED, SEALED])
    assert verified(tmp_path, "pack.zip", *KEY).code == 0


async def test_it_began_with_a_backup_in_which_nothing_was_sealed(servers: Servers, tmp_path: Path) -> None:
    async with database(servers, TEMPLATE) as ledger:
        await ledger.restored(Checkpoint(SIGNER.verifier.name, 5, bytes(range(32))))
        await ledger.receive("new")
        await ledger.seal()
        await packed(ledger, tmp_path / "pack.zip")

        verdict = verified(tmp_path, "pack.zip", *KEY)
        assert (verdict.code, "leaves 0 to 4 are lost" in verdict.words) == (0, True)


async def test_what_was_kept_of_the_lost_line_is_named_as_lost(ledger: Ledger, tmp_path: Path) -> None:
    before = await note(ledger, 30)
    kept = await came_back(ledger)
    await packed(ledger, tmp_path / "pack.zip", kept=(before, kept))
    (tmp_path / "before.txt").write_text(before)
    (tmp_path / "kept.txt").write_text(kept)

    verdict = verified(tmp_path, "pack.zip", *KEY, "--checkpoint", "before.txt", "--checkpoint", "kept.txt")
    assert verdict.code == 1
    assert (
        "RESTORED    kept.txt: leaves 60 to 69 of it are lost: the ledger was restored from an older backup"
        in verdict.words
    )
    assert "told of on 20" in verdict.words
    assert "before.txt: the pack is of the ledger" in verdict.words
    assert "FORGED" not in verdict.words
    assert "FORKED" not in verdict.words
    assert "THE PACK FITS, BUT ENTRIES THAT WERE SEALED ARE LOST" in verdict.words


async def test_what_nobody_knew_of_is_named_so(ledger: Ledger, tmp_path: Path) -> None:
    kept = await came_back(ledger, told=False)
    await packed(ledger, tmp_path / "pack.zip")
    (tmp_path / "kept.txt").write_text(kept)

    verdict = verified(tmp_path, "pack.zip", *KEY, "--checkpoint", "kept.txt")
    assert (verdict.code, "those from 60 on were not known of then" in verdict.words) == (1, True)


async def test_a_second_restore_leaves_the_line_between_comparable(ledger: Ledger, tmp_path: Path) -> None:
    """What the second hand-over tells of the first line is not said of the second, which goes on."""
    kept = await came_back(ledger, told=False)
    between = await note(ledger, SEALED + WAITING + 8 + 1)
    await ledger.restored(open_checkpoint(kept, [SIGNER.verifier]), mark="11111111")
    await packed(ledger, tmp_path / "pack.zip")
    (tmp_path / "between.txt").write_text(between)
    (tmp_path / "kept.txt").write_text(kept)

    verdict = verified(
        tmp_path, "pack.zip", *KEY, "--checkpoint", "between.txt", "--checkpoint", "kept.txt", "--json"
    )
    assert verdict.found == {("restored", "kept.txt")}
    assert verdict.told["compared"] == ["between.txt"]
    assert len(verdict.told["restores"]) == 2


def _by_other(text: str) -> str:
    signed = text.rpartition("\n\n")[0] + "\n"
    return OTHER.named(signed.partition("\n")[0]).sign(signed)


def _again(text: str, old: str, new: str) -> str:
    """Changed, and signed with the true key."""
    signed = text.rpartition("\n\n")[0] + "\n"
    assert old in signed
    return SIGNER.named(signed.partition("\n")[0]).sign(signed.replace(old, new))


def _handover(change: Callable[[str], str]) -> Callable[[list[str]], list[str]]:
    return lambda found: [change(one) if "\nrestored " in one else one for one in found]


def _without(which: Callable[[str], bool]) -> Callable[[list[str]], list[str]]:
    return lambda found: [one for one in found if not which(one)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_handover(lambda one: one.replace("\nlost 60 ", "\nlost 50 ")), "it is not of this text"),
        (_handover(_by_other), "none of the keys has signed it"),
        (_handover(lambda one: _again(one, "\nold example.com/ledger 60 ", "\nold example.com/ledger 61 ")), "it hands over another tree"),
        (_handover(lambda one: _again(one, "\nold example.com/ledger ", "\nold example.com/other ")), "the ledger did not have before"),
        (_handover(lambda one: _again(one, "\nold ", "\nnew ")), "in a form that is not known"),
        (_handover(lambda one: _again(one, "\nlost 60 ", "\nlost 61 ")), "cannot be"),
        (_without(lambda one: "\nrestored " in one), "no hand-over in the pack tells of a restore"),
        (_without(lambda one: one.startswith("example.com/ledger\n60\n")), "the ledger did not have before"),
    ],
)  # fmt: skip
async def test_a_forged_hand_over_is_found(
    restored: Files, tmp_path: Path, change: Callable[[list[str]], list[str]], words: str
) -> None:
    found = [json.loads(line)["note"] for line in restored["checkpoints.jsonl"].splitlines()]
    changed = change(found)
    assert changed != found
    rows = [{"size": int(one.split("\n")[1]), "note": one} for one in changed]
    told = {"checkpoints.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows).encode()}
    write(tmp_path / "pack.zip", restored | told, mended=True)

    verdict = verified(tmp_path, "pack.zip", *KEY, "--json")
    forged = [finding["words"] for finding in verdict.told["findings"] if finding["kind"] == "forged"]
    assert verdict.code == 1
    assert any(words in one for one in forged), forged


async def test_a_hand_over_by_another_s_key_excuses_nothing(
    restored: Files, kept: str, tmp_path: Path
) -> None:
    """Its key comes with the pack, so that it passes for an older one's; but only keys that were given tell of a restore."""
    found = [json.loads(line)["note"] for line in restored["checkpoints.jsonl"].splitlines()]
    rows = [{"size": int(one.split("\n")[1]), "note": one} for one in _handover(_by_other)(found)]
    told = {"checkpoints.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows).encode()}
    told["keys.txt"] = restored["keys.txt"] + f"{OTHER.verifier}\n".encode()
    write(tmp_path / "pack.zip", restored | told, mended=True)
    (tmp_path / "kept.txt").write_text(kept)

    verdict = verified(tmp_path, "pack.zip", *KEY, "--checkpoint", "kept.txt", "--json")
    assert verdict.found == {("forked", "kept.txt")}
    assert verdict.told["restores"] == []
