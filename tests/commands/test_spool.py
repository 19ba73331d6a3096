"""`spool` and the doctor's line: what waits, and what cannot be read."""

import errno
import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app
from commands.doctor.spool import look_at_spool
from runtime.spool import Journal
from runtime.spool.journal import Entry
from runtime.spool.opening import keys_of
from settings import Settings, Store
from tests.support import write_configuration


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(tmp_path / "hookledger.toml"))
    url = "postgresql://nobody@127.0.0.1:1/nothing"
    return write_configuration(tmp_path, Store(url=url, owner_url=url), '[spool]\nfolder = "spool"')


def _keep(settings: Settings, *texts: bytes, keys: list[bytes] | None = None) -> None:
    assert settings.spool.folder is not None
    journal = Journal(settings.spool.folder, keys or keys_of(settings), 10_000_000)
    journal.append([Entry(text, 1_000_000, (1, 1)) for text in texts])
    journal.close()


def _run(*options: str) -> tuple[int, str]:
    ended = CliRunner().invoke(app, ["spool", *options])
    return ended.exit_code, ended.output


def test_it_tells_what_waits_and_leaves_it_there(settings: Settings) -> None:
    _keep(settings, b"one", b"two")
    for _ in range(2):
        code, output = _run("--json", "--check")
        told = json.loads(output)
        assert (code, told["records"], told["damaged"], told["without_key"]) == (0, 2, 0, 0)
    code, output = _run()
    assert code == 0
    assert "2 records" in output
    [check] = look_at_spool(settings)
    assert check.state == "wrong"  # the oldest has waited since 1970
    assert "2 records wait" in check.words


def test_damage_and_a_missing_key_are_told(settings: Settings) -> None:
    _keep(settings, b"one", b"two")
    _keep(settings, b"three", keys=[b"x" * 32])
    assert settings.spool.folder is not None
    [segment] = settings.spool.folder.glob("journal-*.spool")
    data = bytearray(segment.read_bytes())
    data[20] ^= 1
    segment.write_bytes(data)
    code, output = _run("--json", "--check")
    told = json.loads(output)
    assert (code, told["damaged"], told["without_key"]) == (1, 1, 1)


def test_without_a_folder_it_says_what_to_do(settings: Settings, tmp_path: Path) -> None:
    code, output = _run()
    assert code == 2
    assert "is not there" in output
    text = (tmp_path / "hookledger.toml").read_text().replace('[spool]\nfolder = "spool"', "")
    (tmp_path / "hookledger.toml").write_text(text)
    code, output = _run()
    assert code == 2
    assert "give [spool] a folder" in output
    [check] = look_at_spool(
        settings.model_copy(update={"spool": settings.spool.model_copy(update={"folder": None})})
    )
    assert check.state == "note"


def test_empty_it_is_fine(settings: Settings) -> None:
    _keep(settings, b"one")
    assert settings.spool.folder is not None
    journal = Journal(settings.spool.folder, keys_of(settings), 10_000_000)
    journal.done(journal.next())
    journal.close()
    [check] = look_at_spool(settings)
    assert (check.state, check.words) == ("fine", "nothing waits")


def test_from_elsewhere_it_says_where_it_is_to_be_seen(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker's container has an empty folder there that nobody may write to: nothing seen is not nothing there."""
    folder = settings.spool.folder
    assert folder is not None
    [check] = look_at_spool(settings)
    assert (check.state, "No such file" in check.words, folder.exists()) == ("note", True, False)
    folder.mkdir()

    def opened(*_: object) -> Journal:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("commands.doctor.spool.Journal", opened)
    monkeypatch.setattr("commands.spool.Journal", opened)
    [check] = look_at_spool(settings)
    code, output = _run()
    assert (check.state, code) == ("note", 2)
    assert "not to be seen from here (Read-only file system)" in check.words
    for said in (check.remedy, " ".join(output.split())):
        assert "docker compose exec api python cli.py spool" in said
