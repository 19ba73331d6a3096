"""Files as they come: kinds, encodings, delimiters, line numbers, broken parts; read in chunks."""

import json
from pathlib import Path

import pytest

from commands.importing.files import FileError, chunks, look_over
from ledger.importing import Finding


def _rows(
    path: Path, size: int = 100, after: int = 0, longest: int = 10_000
) -> tuple[list[object], list[Finding]]:
    rows: list[object] = []
    findings: list[Finding] = []
    for chunk in chunks(look_over(path, None), size, after, longest):
        assert len(chunk.rows) + len(chunk.findings) <= size
        rows += chunk.rows
        findings += chunk.findings
    return rows, findings


def _csv(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "people.csv"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("login,city\nasha,Zürich\n".encode(), "utf-8-sig"),
        (b"\xef\xbb\xbf" + "login,city\nasha,Zürich\n".encode(), "utf-8-sig"),
        ("login,city\nasha,Zürich\n".encode("cp1252"), "cp1252"),
        ("login,city\nasha,Zürich\n".encode("utf-16"), "utf-16"),
    ],
)
def test_encodings_are_found_out(tmp_path: Path, data: bytes, encoding: str) -> None:
    path = _csv(tmp_path, data)

    assert look_over(path, None).encoding == encoding
    assert _rows(path) == ([(2, ["asha", "Zürich"])], [])


def test_one_broken_row_does_not_make_a_file_another_encoding(tmp_path: Path) -> None:
    path = _csv(tmp_path, "login,city\nasha,Zürich\nravi,Köln\nmia,".encode() + b"K\xf6ln\n")

    rows, _ = _rows(path)

    assert look_over(path, None).encoding == "utf-8-sig"
    assert rows[:2] == [(2, ["asha", "Zürich"]), (3, ["ravi", "Köln"])]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found_out(tmp_path: Path, delimiter: str) -> None:
    assert _rows(_csv(tmp_path, f"login{delimiter}city\nasha{delimiter}Pune\n".encode())) == (
        [(2, ["asha", "Pune"])],
        [],
    )


def test_a_row_is_known_by_the_line_it_begins_on(tmp_path: Path) -> None:
    rows, _ = _rows(_csv(tmp_path, b'login,note\nasha,"one\ntwo"\n\nravi,x\n'))

    assert rows == [(2, ["asha", "one\ntwo"]), (5, ["ravi", "x"])]


@pytest.mark.parametrize("data", [b"", b"login,email\n", b"\xef\xbb\xbf"])
def test_a_file_without_rows_has_none(tmp_path: Path, data: bytes) -> None:
    path = _csv(tmp_path, data)
    if data == b"\xef\xbb\xbf":
        with pytest.raises(Exception, match="no column is the login"):
            look_over(path, None)
    else:
        assert _rows(path) == ([], [])


def test_reading_goes_on_behind_a_line(tmp_path: Path) -> None:
    path = _csv(tmp_path, b"login\n" + b"".join(b"u%d\n" % n for n in range(50)))

    rows, _ = _rows(path, size=7, after=40)

    assert rows == [(n, [f"u{n - 2}"]) for n in range(41, 52)]


def test_an_unclosed_quote_costs_rows_not_the_memory(tmp_path: Path) -> None:
    path = _csv(tmp_path, b'login,note\nasha,"' + b"x\n" * 20_000 + b"ravi,y\n")

    _, findings = _rows(path, longest=5_000)

    assert Finding(2, "too large") in findings


def test_json_lines_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"login":"asha"}\n\n{"login":"' + b"x" * 3_000 + b'"}\n{"login":"ravi"}')

    rows, findings = _rows(path, longest=1_000)

    assert rows == [(1, b'{"login":"asha"}\n'), (4, b'{"login":"ravi"}')]
    assert findings == [Finding(3, "too large")]


def test_a_json_array_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "people.json"
    path.write_text(json.dumps([{"login": "asha"}]))

    with pytest.raises(FileError, match=r"jq -c '\.\[\]'"):
        look_over(path, None)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="No such file"):
        look_over(tmp_path / "none.csv", None)


def test_the_same_bytes_have_one_hash_and_another_mapping_reads_them_otherwise(tmp_path: Path) -> None:
    one = look_over(_csv(tmp_path, b"login,email\n"), None)
    other = tmp_path / "renamed.csv"
    other.write_bytes(b"login,email\n")
    again = look_over(other, None)

    assert (one.hash, one.reading) == (again.hash, again.reading)
    assert look_over(_csv(tmp_path, b"login,mail\n"), None).hash != one.hash
