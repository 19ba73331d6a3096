"""A leaf is what the RFC 8785 library makes of the entry's columns, whatever stands in them."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import rfc8785
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.engine import connect_to_read
from ledger.leaf import COLUMNS, leaf, selected, with_id
from ledger.lines import all_lines
from ledger.tables import entries
from settings import Store

_TEXT = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12
) | st.sampled_from([r"\N", "\\", '"', "\t", "a\\\\tb", "\x01\x1f\x7f", "é😀\u2028", "\\\\N"])
_WHOLE = st.integers(-(2**53) + 1, 2**53 - 1)
_JSON = st.recursive(
    st.none() | st.booleans() | _WHOLE | _TEXT | st.sampled_from([0.1, 1.5, 1e21, 1e-7, -2.25]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)
_MOMENTS = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
_ENTRY = st.fixed_dictionaries(
    {
        "at": _MOMENTS,
        "tenant": _TEXT,
        "subject": st.none() | st.uuids(),
        "delivery": st.uuids(),
        "seq": st.none() | _WHOLE,
        "hook": _TEXT,
        "application": st.none() | _TEXT,
        "activity": st.none() | _TEXT,
        "outcome": _TEXT,
        "attempt": st.none() | st.integers(0, 2**31 - 1),
        "actor": _TEXT,
        "acting_for": st.none() | _TEXT,
        "code_version": _TEXT,
        "rules_hash": _TEXT,
        "detail": st.dictionaries(_TEXT, _JSON, max_size=3),
        "commitment": st.none() | st.binary(max_size=40),
        "id": st.integers(1, 2**53 - 1),
    }
)
_TYPES = {"at": "timestamptz", "subject": "uuid", "delivery": "uuid", "seq": "bigint", "id": "bigint"} | {
    "attempt": "integer",
    "detail": "jsonb",
    "commitment": "bytea",
}


@pytest.fixture(scope="module")
async def connection(store: Store) -> Any:
    """A session that writes as sealing reads."""
    connection: Any = await connect_to_read(store, "leaf test")
    columns = ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in COLUMNS)
    await connection.execute(f"CREATE TEMP TABLE one ({columns})")
    yield connection
    await connection.close()


async def _line(connection: Any, entry: dict[str, Any]) -> bytes:
    """The entry's line, written by Postgres itself."""
    given = [json.dumps(entry[name]) if name == "detail" else entry[name] for name in COLUMNS]
    marks = ", ".join(f"${n}" for n in range(1, len(COLUMNS) + 1))
    await connection.execute("DELETE FROM one")
    await connection.execute(f"INSERT INTO one VALUES ({marks})", *given)
    [line] = await all_lines(connection, f"SELECT {selected('e')} FROM one e")
    return line


def _expected(entry: dict[str, Any]) -> bytes:
    def plain(value: Any) -> Any:
        match value:
            case datetime():
                return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            case uuid.UUID():
                return str(value)
            case bytes():
                return value.hex()
            case _:
                return value

    return rfc8785.dumps({"leaf_version": 1} | {name: plain(value) for name, value in entry.items()})


@given(entry=_ENTRY)
@settings(
    max_examples=100,
    deadline=timedelta(seconds=5),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_it_is_what_the_library_makes_of_the_columns(connection: Any, entry: dict[str, Any]) -> None:
    assert leaf(await _line(connection, entry)) == _expected(entry)


def _entry(**changes: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "at": datetime(2026, 11, 25, 10, tzinfo=UTC),
        "id": 7,
        "detail": {},
        "subject": None,
        "delivery": uuid.UUID(int=1),
        "seq": 1,
        "attempt": None,
        "commitment": None,
    }
    texts = dict.fromkeys((name for name in COLUMNS if name not in usual), "x")
    return usual | texts | changes


async def test_every_column_of_an_entry_is_in_it() -> None:
    assert set(COLUMNS) == {column.name for column in entries.columns}


@pytest.mark.parametrize(
    "detail",
    ["[1]", '"{}"', "12", '{"a": 1e400}', '{"a": 12345678901234567890}', '{"a": 0.12345678901234567890}'],
)
async def test_details_that_are_no_plain_object_are_sealed_as_text(connection: Any, detail: str) -> None:
    line = (await _line(connection, _entry())).removesuffix(b"{}")
    stored = await connection.fetchval("SELECT $1::text::jsonb::text", detail)

    sealed = json.loads(leaf(line + stored.replace("\\", "\\\\").encode()))
    assert sealed["detail"] == stored


@pytest.mark.parametrize(
    "at", ["infinity", "-infinity", "2026-11-25 10:00:00+00 BC", "12026-11-25 10:00:00+00"]
)
async def test_times_that_no_clock_tells_are_told_apart(connection: Any, at: str) -> None:
    usual = await _line(connection, _entry())

    assert leaf(usual.replace(b"2026-11-25 10:00:00+00", at.encode())) != leaf(usual)


async def test_an_entry_under_another_id(connection: Any) -> None:
    line = await _line(connection, _entry(detail={"a": "\t"}))

    assert leaf(with_id(line, b"8")) == _expected(_entry(detail={"a": "\t"}, id=8))
