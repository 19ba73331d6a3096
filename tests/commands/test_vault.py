"""`vault` and the doctor's line: which keys there are, what waits under them, and destroying them as a deed."""

import errno
import json
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities._activity import SEALED_FOR
from commands.doctor import vault as doctor
from ledger.engine import Pool
from runtime.vault import Epoch, Folder, Vault, open_folder
from settings import Settings, Store
from tests.commands.conftest import Run
from tests.support import rows, write_configuration

WHY = ("--reason", "the volume leaked", "--actor", "asha.ops")
NOW = int(time.time()) // 3600


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    return write_configuration(tmp_path, store, '[vault]\nfolder = "vault"')


@pytest.fixture
def folder(settings: Settings) -> Folder:
    folder = open_folder(settings)
    assert folder is not None
    return folder


async def _seal(folder: Folder, pool: Pool, hour: int) -> None:
    vault, number = Vault(folder, b"k" * 32, lambda: hour * 3600.0), uuid.uuid4()
    vault.refresh()
    sealed = vault.seal(str(number), "hunter2-fake")
    await pool.execute("INSERT INTO vault VALUES ($1, $2, now() + interval '1 day')", number, sealed)


async def test_keys_and_what_waits_are_shown(run: Run, folder: Folder, pool: Pool) -> None:
    await _seal(folder, pool, NOW - 1)
    await _seal(folder, pool, NOW)
    await _seal(folder, pool, NOW)
    await pool.execute("INSERT INTO vault VALUES ($1, 'x', now() + interval '1 day')", uuid.uuid4())

    told = json.loads((await run("vault", "--json")).stdout)

    assert [(k["key"], k["secrets"], k["opens"]) for k in told["keys"]] == [
        (Epoch(NOW - 1).name, 1, True),
        (Epoch(NOW).name, 2, True),
        ("of an earlier release", 1, True),
    ]
    assert told["keys"][1]["destroyed_at"] == Epoch(NOW).due(SEALED_FOR).isoformat()
    assert (told["destroyed"], told["store"]) == (0, "ok")
    shown = await run("vault")
    assert shown.exit_code == 0
    assert Epoch(NOW).name in shown.stdout


async def test_keys_are_destroyed_as_a_deed(run: Run, folder: Folder, pool: Pool) -> None:
    await _seal(folder, pool, NOW - 1)
    await _seal(folder, pool, NOW)
    before = Epoch(NOW).begins.isoformat()

    counted = await run("vault", "destroy", "--before", before, *WHY)
    assert counted.exit_code == 0
    assert "1 keys would be destroyed" in counted.stdout
    assert folder.epochs() == [Epoch(NOW - 1), Epoch(NOW)]
    done = await run("vault", "destroy", "--before", before, "--yes", *WHY)
    assert done.exit_code == 0, done.output

    assert folder.epochs() == [Epoch(NOW)]
    [entry] = await rows(
        pool, "SELECT tenant, actor, detail FROM entries WHERE outcome = 'vault keys destroyed'"
    )
    assert (entry["tenant"], entry["actor"], entry["detail"]["keys"]) == (
        "as100", "asha.ops", [Epoch(NOW - 1).name],
    )  # fmt: skip
    told = await run("vault", "--json")
    assert told.exit_code == 1, "something waits whose key is gone"
    assert json.loads(told.stdout)["last_destroyed"]["by"] == "asha.ops"
    assert (await run("vault", "destroy", "--before", before, "--yes", *WHY)).exit_code == 2


async def test_one_that_cannot_be_destroyed_keeps_no_other_alive(
    run: Run, folder: Folder, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hour in (NOW - 2, NOW - 1):
        folder.take(hour)
    destroy = Folder.destroy

    def refusing(self: Folder, epoch: Epoch, why: str, by: str) -> bool:
        if epoch == Epoch(NOW - 2):
            raise OSError(errno.EIO, "Input/output error")
        return destroy(self, epoch, why, by)

    monkeypatch.setattr(Folder, "destroy", refusing)
    done = await run("vault", "destroy", "--before", "0s", "--yes", *WHY)
    assert done.exit_code == 2
    assert "1 keys are left" in done.stdout
    assert folder.epochs() == [Epoch(NOW - 2)]
    [entry] = await rows(pool, "SELECT detail FROM entries WHERE outcome = 'vault keys destroyed'")
    assert entry["detail"]["keys"] == [Epoch(NOW - 1).name]


async def test_a_rotation_is_a_deed(run: Run, folder: Folder, pool: Pool) -> None:
    folder.take(int(time.time()) // 3600)
    done = await run("vault", "rotate", *WHY)
    assert done.exit_code == 0, done.output
    [entry] = await rows(pool, "SELECT detail FROM entries WHERE outcome = 'vault key rotated'")
    assert entry["detail"]["keys"] == [folder.epochs()[-1].name]
    assert folder.epochs()[-1].serial == 1


async def test_without_the_store_keys_are_destroyed_all_the_same(
    run: Run, folder: Folder, tmp_path: Path
) -> None:
    folder.take(NOW)
    (tmp_path / "store.url").write_text("postgresql://nobody@127.0.0.1:1/nothing")
    done = await run("vault", "destroy", "--before", "0s", "--yes", *WHY)
    assert done.exit_code == 2
    assert "it is done, and not recorded" in done.stderr
    assert folder.epochs() == []
    assert [d.why for d in folder.destroyed()] == ["the volume leaked"]


async def test_where_there_is_none_it_says_so(run: Run) -> None:
    told = await run("vault")
    assert told.exit_code == 2
    assert "is not there" in told.stderr


def test_the_doctor_looks(settings: Settings, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def state(of: Settings = settings) -> list[tuple[str, str]]:
        return [(check.state, check.words) for check in doctor.look_at_vault(of)]

    def needing() -> list[str]:
        return ["sync"]

    without = settings.model_copy(update={"vault": type(settings.vault)()})
    assert state() == state(without) == []
    monkeypatch.setattr(doctor, "needing_secrets", needing)
    [(wrong, words)] = state(without)
    assert (wrong, "sync end as secret_gone" in words) == ("wrong", True)
    folder.take(int(datetime.now(UTC).timestamp()) // 3600)
    [(fine, words)] = state()
    assert (fine, "1 keys, the next is destroyed in" in words) == ("fine", True)
    folder.path.chmod(0o750)
    assert state()[0][0] == "wrong"
    folder.path.chmod(0o700)
    folder.take(NOW - 100)
    [(wrong, words)] = state()
    assert (wrong, "should have been destroyed" in words) == ("wrong", True)
    folder.destroy(Epoch(NOW - 100), "expired", "test")
    next(folder.path.glob("*.key")).write_bytes(b"damaged")
    [(wrong, words)] = state()
    assert (wrong, "do not open" in words) == ("wrong", True)
