"""The spool's files: order, bounds, several processes, kills, full disks."""

import errno
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.spool import journal as journals
from runtime.spool.journal import Entry, Journal, NoRoom

KEY = b"k" * 32
MIB = 1024 * 1024


def _entry(text: bytes | str, at: int = 1, places: tuple[int, int] = (1, 2)) -> Entry:
    return Entry(text.encode() if isinstance(text, str) else text, at, places)


_opened: list[Journal] = []


def _open(folder: Path, most: int = 100 * MIB) -> Journal:
    _opened.append(Journal(folder, [KEY], most))
    return _opened[-1]


def _read_all(journal: Journal) -> Iterator[bytes]:
    while frames := journal.next():
        for frame in frames:
            text = journal.open(frame)
            assert text is not None
            yield text
        journal.done(frames)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where journals are; those that a test opened are closed behind it."""
    yield tmp_path / "spool"
    while _opened:
        _opened.pop().close()


def test_records_come_back_in_order_over_many_segments(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "_SEGMENT", 2_000)
    journal = _open(folder)
    texts = [f"{n}".encode() * 100 for n in range(200)]
    for text in texts:
        journal.append([_entry(text)])
    assert len(list(folder.glob("journal-*.spool"))) > 5
    assert journal.figures().records == 200

    assert list(_read_all(journal)) == texts

    assert (journal.figures().records, journal.figures().octets) == (0, 0)
    assert list(folder.glob("journal-*.spool")) == []
    assert not journal.state.waits


def test_what_waits_is_seen_by_every_process_and_of_whom(folder: Path) -> None:
    one, two = _open(folder), _open(folder)
    one.append([_entry("a", places=(7, 9))])
    assert two.state.waits
    assert [two.state.waits_for([place]) for place in (7, 8, 9)] == [True, False, True]
    list(_read_all(two))
    assert not one.state.waits
    assert not one.state.waits_for([7, 9])


def test_only_one_of_them_reads_at_a_time(folder: Path) -> None:
    one, two = _open(folder), _open(folder)
    with one.reading() as mine, two.reading() as theirs:
        assert (mine, theirs) == (True, False)
    with two.reading() as theirs:
        assert theirs


def test_the_next_start_finds_what_an_earlier_one_left(folder: Path) -> None:
    before = _open(folder)
    before.append([_entry("a", at=5), _entry("b")])
    before.close()
    (folder / "state").unlink()  # as after another boot: what memory said means nothing

    after = _open(folder)

    assert after.figures().records == 2
    assert after.figures().age > 0
    assert after.state.waits_for([1])
    assert list(_read_all(after)) == [b"a", b"b"]


def test_a_torn_end_is_cut_off_at_the_next_start_and_at_the_next_write(folder: Path) -> None:
    before = _open(folder)
    before.append([_entry("whole")])
    [segment] = folder.glob("journal-*.spool")
    with segment.open("ab") as file:
        file.write(b"HLS1 half a rec")
    before.append([_entry("next")])
    assert [before.open(frame) for frame in before.next()] == [b"whole", b"next"]
    with segment.open("ab") as file:
        file.write(b"HLS1 half a rec")
    before.close()

    assert list(_read_all(_open(folder))) == [b"whole", b"next"]


def test_damage_in_the_middle_is_set_aside_and_the_rest_is_recorded(folder: Path) -> None:
    journal = _open(folder)
    for text in ("first", "second", "third"):
        journal.append([_entry(text)])
    [segment] = folder.glob("journal-*.spool")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 0xFF
    segment.write_bytes(data)

    assert list(_read_all(journal)) == [b"first", b"third"]

    assert journal.figures().damaged == 1
    assert len(list((folder / "damaged").iterdir())) == 1
    assert not journal.state.waits


def _read_on_a_full_disk(folder: Path, results: "multiprocessing.Queue[str]") -> None:
    journal = _open(folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
    for _ in range(2):
        try:
            journal.next()
        except OSError:
            results.put(f"{journal.figures().damaged} {len(list((folder / 'damaged').iterdir()))}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    results.put(" ".join(text.decode() for text in _read_all(journal)))


def test_damage_that_cannot_be_set_aside_stays_until_it_can(folder: Path) -> None:
    journal = _open(folder)
    for text in ("first", "second"):
        journal.append([_entry(text)])
    [segment] = folder.glob("journal-*.spool")
    data = bytearray(segment.read_bytes())
    data[len(data) // 4] ^= 0xFF
    segment.write_bytes(data)
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[str] = context.Queue()
    process = context.Process(target=_read_on_a_full_disk, args=(folder, results))
    process.start()

    assert [results.get(timeout=30) for _ in range(3)] == ["0 0", "0 0", "second"]

    process.join(30)
    [kept] = (folder / "damaged").iterdir()
    assert kept.read_bytes() == bytes(data[: len(data) // 2])


def test_a_file_that_somebody_removed_does_not_keep_everything_for_ever(folder: Path) -> None:
    journal = _open(folder)
    journal.append([_entry("lost")])
    [segment] = folder.glob("journal-*.spool")
    segment.unlink()
    assert list(_read_all(journal)) == []
    assert not journal.state.waits
    journal.append([_entry("next")])
    assert list(_read_all(journal)) == [b"next"]


def test_it_is_bounded_and_says_so(folder: Path) -> None:
    journal = _open(folder, most=2_000)
    for _ in range(12):
        journal.append([_entry(b"x" * 100)])
    with pytest.raises(NoRoom):
        journal.append([_entry(b"x" * 500)])
    kept = journal.figures()
    assert kept.records == 12
    assert kept.octets <= 2_000
    assert len(list(_read_all(journal))) == kept.records
    journal.append([_entry("again")])


def _fill(folder: Path, results: "multiprocessing.Queue[str]") -> None:
    journal = _open(folder)
    journal.append([_entry("before")])
    # As a full disk does: the kernel refuses to let any file grow.
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
    try:
        journal.append([_entry(b"x" * 500)])
    except NoRoom:
        results.put("refused")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    journal.append([_entry("after")])
    results.put("done")


def test_a_full_disk_refuses_and_leaves_nothing_half_written(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[str] = context.Queue()
    process = context.Process(target=_fill, args=(folder, results))
    process.start()
    assert [results.get(timeout=30), results.get(timeout=30)] == ["refused", "done"]
    process.join(30)
    assert list(_read_all(_open(folder))) == [b"before", b"after"]


def _write_for_ever(folder: Path, name: str, answered: "multiprocessing.Queue[str]") -> None:
    journal = _open(folder)
    for n in range(1_000_000):
        journal.append([_entry(f"{name}:{n}")])
        answered.put(f"{name}:{n}")


def test_killed_in_the_middle_nothing_that_was_answered_is_lost_and_order_stays(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers = {name: context.Queue() for name in "ab"}
    writers = [context.Process(target=_write_for_ever, args=(folder, n, q)) for n, q in answers.items()]
    for writer in writers:
        writer.start()
    until = time.monotonic() + 30
    while any(queue.qsize() < 50 for queue in answers.values()) and time.monotonic() < until:
        time.sleep(0.01)
    for writer in writers:
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join(10)

    found = [text.decode() for text in _read_all(_open(folder))]

    for name, queue in answers.items():
        numbers = [int(text.partition(":")[2]) for text in found if text.startswith(name)]
        assert numbers == list(range(len(numbers)))
        got = 0
        while got < 50:  # a killed feeder may have kept the last ones to itself; these 50 were seen
            assert int(queue.get(timeout=5).partition(":")[2]) < len(numbers)
            got += 1


def test_it_is_on_disk_before_append_returns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = _open(folder)
    synced: list[int] = []
    really = os.fsync

    def fsync(handle: int) -> None:
        synced.append(os.fstat(handle).st_size)
        really(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    journal.append([_entry("a"), _entry("b")])
    [segment] = folder.glob("journal-*.spool")
    assert segment.stat().st_size in synced


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_what_cannot_be_opened_leaves_no_file_open(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    before = _open_files()
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        with pytest.raises(OSError, match="full") as wrong:  # held, and with it what its frames hold
            _open(folder)
    assert _open_files() == before, wrong


def test_what_is_set_aside_is_bounded_too_and_beyond_that_it_waits(folder: Path) -> None:
    journal = _open(folder, most=1_000)
    for _ in range(4):
        journal.append([_entry(b"x" * 350)])
        [frame] = journal.next()
        if len(list(folder.glob("damaged/*"))) < 2:
            journal.set_aside(frame)
            journal.done([frame])
            continue
        with pytest.raises(OSError, match="max_bytes"):
            journal.set_aside(frame)
        assert journal.next() == [frame]
        for file in folder.glob("damaged/*"):
            file.unlink()
        journal.set_aside(frame)
        journal.done([frame])
    assert journal.figures().damaged == 4


def _damaged_at_the_end(folder: Path) -> tuple[Path, bytes]:
    """Three records were answered for; the last one cannot be read. Gives the file, and what stood there of the third."""
    before = _open(folder)
    before.append([_entry("first"), _entry("second")])
    [segment] = folder.glob("journal-*.spool")
    whole = segment.stat().st_size
    before.append([_entry("third")])
    before.close()
    data = bytearray(segment.read_bytes())
    data[-3] ^= 1
    segment.write_bytes(data)
    return segment, bytes(data[whole:])


def test_damage_at_the_end_of_what_was_answered_for_is_set_aside_at_the_next_start(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, third = _damaged_at_the_end(folder)

    after = _open(folder)

    assert list(_read_all(after)) == [b"first", b"second"]
    assert after.figures().damaged == 1
    [kept] = (folder / "damaged").iterdir()
    assert kept.read_bytes() == third
    assert f"{len(third)} octets that were answered for cannot be read" in caplog.text
    assert "not answered for" not in caplog.text


def test_where_it_cannot_be_set_aside_nothing_of_it_goes(folder: Path) -> None:
    segment, third = _damaged_at_the_end(folder)
    (folder / "damaged").write_text("no folder")

    for _ in range(2):
        with pytest.raises(FileExistsError):
            _open(folder)
    assert segment.read_bytes().endswith(third)

    (folder / "damaged").unlink()
    after = _open(folder)
    assert after.figures().damaged == 1
    assert [kept.read_bytes() for kept in (folder / "damaged").iterdir()] == [third]


def test_a_torn_end_that_was_not_answered_for_is_no_damage(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = _open(folder)
    before.append([_entry("whole")])
    before.close()
    [segment] = folder.glob("journal-*.spool")
    with segment.open("ab") as file:
        file.write(b"HLS1 half a rec")

    after = _open(folder)

    assert after.figures().damaged == 0
    assert [kept.read_bytes() for kept in (folder / "damaged").iterdir()] == [b"HLS1 half a rec"]
    assert "15 octets of a record that was not answered for" in caplog.text


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were put on the disk; where the first entry is a file's, that fails once."""
    found: list[Path] = []
    really = os.fsync

    def fsync(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if path.is_dir():
            if found and found[0].is_file():
                found.pop(0)
                raise OSError(errno.EIO, "input/output error")
            found.append(path)
        really(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def test_what_is_answered_has_its_files_name_on_the_disk_though_that_failed_once(
    folder: Path, synced: list[Path]
) -> None:
    journal = _open(folder)
    synced[:] = [folder / "lock"]

    with pytest.raises(NoRoom):
        journal.append([_entry("refused")])
    assert synced == []
    journal.close()
    journal = _open(folder)
    journal.append([_entry("kept")])

    assert synced == [folder]
    assert list(_read_all(journal)) == [b"kept"]


def test_so_it_has_where_another_process_made_the_file_and_died(folder: Path, synced: list[Path]) -> None:
    journal = _open(folder)
    (folder / "journal-1.spool").touch()
    synced.clear()

    journal.append([_entry("first")])
    journal.append([_entry("second")])

    assert synced == [folder]


def test_a_folder_that_is_made_is_on_the_disk_before_it_is_used(folder: Path, synced: list[Path]) -> None:
    above = folder / "above"
    (above / "spool").mkdir(parents=True)  # by one who died, or whose disk failed, before they were on it
    _open(above / "spool")
    assert synced == [above]
    _open(above / "spool")
    assert synced == [above]

    _open(folder / "new" / "spool")
    assert synced == [above, folder / "new", folder]
