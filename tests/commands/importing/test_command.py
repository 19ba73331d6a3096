"""`./hookledger import` as a user runs it: what it leaves in the store, and what it says."""

import getpass
import json
from pathlib import Path
from typing import Any

import pytest

from ledger.engine import Pool
from ledger.receive import Fact, receive
from settings import Settings, Store
from tests.commands.conftest import Run
from tests.support import delivery, rows, write_configuration

FACT = Fact(status="ACTIVE", left=False, archived=False, version=None, updated=None)


def _file(tmp_path: Path, *lines: str, name: str = "people.csv") -> str:
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def _users(tmp_path: Path, *users: Any) -> str:
    return _file(tmp_path, *(u if isinstance(u, str) else json.dumps(u) for u in users), name="people.jsonl")


async def _report(run: Run, *arguments: str) -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
    """The exit code, the report, the findings."""
    result = await run("import", *arguments, "--json")
    assert result.exit_code in (0, 1), result.output
    *findings, report = map(json.loads, result.stdout.splitlines())
    return result.exit_code, report, findings


def _found(findings: list[dict[str, Any]]) -> list[tuple[int, str, str, str]]:
    return [(f["line"], f["kind"], f["attribute"], f["other"]) for f in findings]


async def _count(pool: Pool, table: str) -> int:
    return int(await pool.fetchval(f"SELECT count(*) FROM {table}"))


async def test_a_person_becomes_what_a_fact_would_have_made(run: Run, pool: Pool, tmp_path: Path) -> None:
    user = {
        "id": "66aa",
        "login": "Asha.Rao",
        "email": "Asha@Example.com",
        "mobile": "98765 43210",
        "version": 3,
    }
    user |= {"updated": "2026-01-01T10:00", "status": "ACTIVE"}

    code, report, findings = await _report(run, _users(tmp_path, user))

    assert (code, report["created"], report["rows"], findings) == (0, 1, 1, [])
    told = delivery(
        "fact", "postUpdateUser", platform_id="77bb", fact=True, values=[("email", "x"), ("login", "fact")]
    )
    got = await receive(pool, told)
    imported = {
        table: await rows(pool, f"SELECT * FROM {table} WHERE {key} <> '{got.subject}' AND tenant = 'as100'")
        for table, key in (("subjects", "id"), ("handles", "subject"), ("identities", "subject"))
    }
    [subject], [identity] = imported["subjects"], imported["identities"]
    assert (subject["seq"], subject["paused"], subject["rehire_of"]) == (1, False, None)
    assert subject["workflow_id"] == f"user-lifecycle:as100:Asha.Rao:{subject['id'][-12:]}"
    assert [(h["kind"], h["value"], h["until"]) for h in imported["handles"]] == [
        ("login", "asha.rao", None),
        ("id", "66aa", None),
    ]
    [d] = await rows(pool, "SELECT * FROM deliveries WHERE subject = $1", subject["id"])
    assert (d["hook"], d["verdict"], d["seq"], d["codes"]) == ("import", "imported", 1, [])
    assert d["actor"] == f"os:{getpass.getuser()}"
    assert d["rules_hash"].startswith("import:")
    assert identity["delivery"] == d["id"]
    assert (identity["seq"], identity["status"], identity["stage"]) == (1, "ACTIVE", "present")
    assert (identity["version"], identity["updated"]) == (3, "2026-01-01T10:00")
    assert (identity["left_at"], identity["archived_at"]) == (None, None)
    values = await rows(
        pool,
        "SELECT attribute, value, left_at FROM known_values WHERE subject = $1 ORDER BY 1",
        subject["id"],
    )
    assert [(v["attribute"], v["value"], v["left_at"]) for v in values] == [
        ("email", "asha@example.com", None),
        ("login", "asha.rao", None),
        ("mobile", "+919876543210", None),
    ]
    [e] = await rows(pool, "SELECT * FROM entries WHERE subject = $1", subject["id"])
    assert (e["outcome"], e["hook"], e["delivery"], e["detail"]) == ("imported", "import", d["id"], {})
    assert e["at"] == d["received_at"] == subject["created_at"]
    assert e["commitment"] == d["commitment"]
    [body] = await rows(pool, "SELECT body, salt FROM bodies WHERE delivery = $1", d["id"])
    assert json.loads(body["body"])["request"] == {"user": user}
    committed = await pool.fetchval(
        "SELECT sha256(convert_to('hookledger/body/v1', 'UTF8') || '\\x00'::bytea || salt || convert_to(body, 'UTF8'))"
        " = commitment FROM bodies JOIN deliveries ON id = delivery WHERE id = $1",
        d["id"],
    )
    assert committed
    assert await _count(pool, "work") == 0


async def test_a_hook_finds_the_person(run: Run, pool: Pool, tmp_path: Path) -> None:
    await _report(run, _file(tmp_path, "login,email", "asha,a@example.com"))

    got = await receive(pool, delivery("asha", "postProvision"))

    assert (got.seq, await _count(pool, "subjects")) == (2, 1)


async def test_a_second_run_changes_nothing(run: Run, pool: Pool, tmp_path: Path) -> None:
    file = _file(
        tmp_path,
        "login,email,mobile",
        *(f"u{n},u{n}@example.com,98{n:08d}" for n in range(30)),
        "u3,other@example.com,9800000003",
        "u31,u5@example.com,",
    )
    first, one, found = await _report(run, file)
    before = [await _count(pool, t) for t in ("subjects", "deliveries", "known_values", "handles")]

    again, two, found_again = await _report(run, file)

    assert (first, one["created"], one["updated"], again) == (1, 31, 1, 1)
    assert (two["unchanged"], two["rows"]) == (32, 32)
    after = [await _count(pool, t) for t in ("subjects", "deliveries", "known_values", "handles")]
    assert after == [before[0], before[1] + 1, *before[2:]], "only the entry of the run itself"
    assert _found(found) == [(32, "repeated", "", "line 5"), (33, "clash", "email", "line 7")]
    assert _found(found_again) == [(5, "repeated", "", "line 32"), (33, "clash", "email", "line 7")]


async def test_whole_users_replace_and_columns_only_speak_of_themselves(
    run: Run, pool: Pool, tmp_path: Path
) -> None:
    user = {
        "login": "asha",
        "email": "a@example.com",
        "mobile": "9876543210",
        "attributes": {"a": "1", "b": "2"},
    }
    await _report(run, _users(tmp_path, user))

    _, report, _ = await _report(run, _file(tmp_path, "login,email,attributes.b", "asha,new@example.com,3"))

    assert report["updated"] == 1
    assert await _known(pool) == user | {"email": "new@example.com", "attributes": {"a": "1", "b": "3"}}
    assert await _values(pool) == {"login": "asha", "email": "new@example.com", "mobile": "+919876543210"}
    _, same, _ = await _report(run, _file(tmp_path, "login,attributes.a", "ASHA,1"))
    assert same["unchanged"] == 1
    _, whole, _ = await _report(run, _users(tmp_path, {"login": "asha", "email": "c@example.com"}))
    assert whole["updated"] == 1
    assert await _known(pool) == {"login": "asha", "email": "c@example.com"}
    assert await _values(pool) == {"login": "asha", "email": "c@example.com"}


async def _known(pool: Pool) -> dict[str, Any]:
    body = await pool.fetchval("SELECT body FROM bodies b JOIN identities i ON i.delivery = b.delivery")
    return json.loads(body)["request"]["user"]


async def _values(pool: Pool) -> dict[str, str]:
    return {v["attribute"]: v["value"] for v in await rows(pool, "SELECT attribute, value FROM known_values")}


@pytest.mark.parametrize("order", [{"version": 4}, {"updated": "2026-01-01T09:00"}])
async def test_an_older_row_never_overwrites(
    run: Run, pool: Pool, tmp_path: Path, order: dict[str, Any]
) -> None:
    newer = {"login": "asha", "city": "Pune"} | (
        {"version": 5} if "version" in order else {"updated": "2026-01-01T10:00"}
    )
    await _report(run, _users(tmp_path, newer))
    before = await _count(pool, "deliveries")

    _, report, _ = await _report(run, _users(tmp_path, {"login": "asha", "city": "Agra"} | order))

    assert (report["older"], report["updated"]) == (1, 0)
    assert await _known(pool) == newer
    assert await _count(pool, "deliveries") == before + 1


async def test_names_change_as_facts_change_them(run: Run, pool: Pool, tmp_path: Path) -> None:
    await _report(run, _users(tmp_path, {"id": "1", "login": "old"}, {"id": "2", "login": "second"}))

    _, report, _ = await _report(
        run, _users(tmp_path, {"id": "1", "login": "new"}, {"id": "3", "login": "second"}, {"login": "old"})
    )

    assert (report["updated"], report["created"]) == (1, 2)
    live = await rows(
        pool,
        "SELECT i.value AS id, l.value AS login FROM handles l LEFT JOIN handles i"
        " ON i.subject = l.subject AND i.kind = 'id' AND i.until IS NULL"
        " WHERE l.kind = 'login' AND l.until IS NULL ORDER BY 2",
    )
    assert live == [{"id": "1", "login": "new"}, {"id": None, "login": "old"}, {"id": "3", "login": "second"}]
    noted = await rows(pool, "SELECT outcome FROM entries WHERE outcome = 'rehire?'")
    assert len(noted) == 1


async def test_two_people_swap_logins_in_one_file(run: Run, pool: Pool, tmp_path: Path) -> None:
    await _report(run, _users(tmp_path, {"id": "1", "login": "a"}, {"id": "2", "login": "b"}))

    file = _users(tmp_path, {"id": "1", "login": "b"}, {"id": "2", "login": "a"})
    _, report, _ = await _report(run, file)
    _, again, _ = await _report(run, file)

    assert (report["updated"], again["unchanged"], await _count(pool, "subjects")) == (2, 2, 2)


async def test_leavers_and_the_archived_have_their_status(run: Run, pool: Pool, tmp_path: Path) -> None:
    file = _users(
        tmp_path,
        {"login": "here", "email": "h@x.example", "status": "ACTIVE"},
        {"login": "left", "email": "l@x.example", "status": "DELETE"},
        {"login": "gone", "email": "g@x.example", "status": "ARCHIVED"},
    )

    await _report(run, file)

    found = await rows(
        pool,
        "SELECT h.value, i.left_at IS NOT NULL AS left, i.archived_at IS NOT NULL AS archived,"
        " (SELECT count(*) FROM known_values k WHERE k.subject = i.subject) AS known,"
        " (SELECT count(*) FROM known_values k WHERE k.subject = i.subject AND k.left_at IS NOT NULL) AS leaving"
        " FROM identities i JOIN handles h ON h.subject = i.subject ORDER BY 1",
    )
    assert [tuple(r.values()) for r in found] == [
        ("gone", True, True, 0, 0),
        ("here", False, False, 2, 0),
        ("left", True, False, 2, 2),
    ]
    _, again, _ = await _report(run, file)
    assert again["unchanged"] == 3


async def test_a_validated_person_becomes_known_and_their_holds_end(
    run: Run, pool: Pool, tmp_path: Path
) -> None:
    from tests.support import validation

    await receive(pool, validation("asha", values=[("email", "a@example.com")]))

    _, report, _ = await _report(run, _file(tmp_path, "login,email", "asha,a@example.com"))

    assert (report["created"], await _count(pool, "subjects"), await _count(pool, "holds")) == (1, 1, 0)


async def test_what_is_wrong_is_said_by_line_and_the_rest_is_written(
    run: Run, pool: Pool, tmp_path: Path
) -> None:
    path = tmp_path / "people.csv"
    lines = ["login,email,mobile,startDate,city", "asha,a@example.com,9876543210,2026-01-01T00:00,Köln"]
    lines += [",no@example.com,,,", "ravi,nowhere,call me,tomorrow,", "short,row", "mia,a@example.com,,,"]
    path.write_bytes("\n".join(lines).encode() + b"\nleo,,,,K\xf6ln\n")
    expected = [
        (3, "no login", "", ""),
        (4, "no address", "email", ""),
        (4, "no date", "startDate", ""),
        (4, "no number", "mobile", ""),
        (5, "columns", "", ""),
        (6, "clash", "email", "line 2"),
        (7, "encoding", "", ""),
    ]

    code, dry, rehearsed = await _report(run, str(path), "--dry-run")
    assert (code, dry["created"], dry["left_out"], dry["dry_run"]) == (1, 3, 3, True)
    assert [await _count(pool, t) for t in ("subjects", "deliveries", "imports")] == [0, 0, 0]
    real_code, real, found = await _report(run, str(path))

    assert _found(rehearsed) == _found(found) == expected
    assert (real_code, real["created"], real["left_out"]) == (1, 3, 3)
    assert dry["findings"] == real["findings"]
    [conflict] = await rows(pool, "SELECT detail FROM entries WHERE outcome = 'conflict'")
    assert conflict["detail"] == {"attributes": ["email"]}


async def test_json_that_is_none_is_said_by_line(run: Run, tmp_path: Path) -> None:
    deep = '{"login":"deep","a":' + "[" * 100 + "]" * 100 + "}"
    file = _users(tmp_path, {"login": "asha"}, "{", '{"login":"a","login":"b"}', "[1]", {"login": 5}, deep)
    path = Path(file)
    path.write_bytes(path.read_bytes() + b'{"login":"\xff"}\n')

    code, report, findings = await _report(run, file)

    assert (code, report["created"], report["left_out"]) == (1, 1, 6)
    assert [(f["line"], f["kind"]) for f in findings] == [
        (2, "bad JSON"),
        (3, "bad JSON"),
        (4, "no user"),
        (5, "no login"),
        (6, "too deep"),
        (7, "encoding"),
    ]


async def test_a_known_persons_value_clashes(run: Run, pool: Pool, tmp_path: Path) -> None:
    known = await receive(
        pool,
        delivery("ravi", "postCreateUser", fact=True, identity=FACT, values=[("email", "a@example.com")]),
    )
    file = _file(tmp_path, "login,email", "asha,A@Example.com")

    _, dry, rehearsed = await _report(run, file, "--dry-run")
    code, _, findings = await _report(run, file)

    assert (code, dry["created"]) == (1, 1)
    assert _found(rehearsed) == _found(findings) == [(2, "clash", "email", f"person {known.subject}")]


async def test_nothing_of_a_row_is_echoed_and_no_secret_is_kept(run: Run, pool: Pool, tmp_path: Path) -> None:
    mapping = tmp_path / "m.toml"
    mapping.write_text('[user]\nlogin = "login"\npassword = "pw"\nemail = "email"\n')
    file = _file(tmp_path, "login,pw,email", "asha,Sup3rSecret,nowhere", ",Sup3rSecret,x", "ravi,Sup3rSecret")

    result = await run("import", file, "--mapping", str(mapping))

    assert result.exit_code == 1
    assert "Sup3rSecret" not in result.output
    assert "nowhere" not in result.output
    assert "no e-mail address" in result.output
    for table in ("bodies", "entries", "deliveries", "known_values", "imports", "import_findings"):
        assert "Sup3rSecret" not in json.dumps(await rows(pool, f"SELECT * FROM {table}"))
    assert (await _known(pool))["password"] == "[cut]"


async def test_two_tenants_stay_apart(
    run: Run, pool: Pool, store: Store, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "other.key").write_text("k" * 48)
    extra = '[tenants.other.token]\nkeys = [{ secret = { file = "other.key" } }]\n'
    write_configuration(tmp_path, store, extra + '[tenants.other.deprovision]\nanswer = "never"\n')
    file = _file(tmp_path, "login,email", "asha,a@example.com")

    without = await run("import", file)
    _, first, _ = await _report(run, file, "--tenant", "as100")
    code, second, findings = await _report(run, file, "--tenant", "other")

    assert (without.exit_code, "--tenant is missing" in without.output) == (2, True)
    assert (first["created"], second["created"], code, findings) == (1, 1, 0, [])
    tenants = await rows(pool, "SELECT tenant, count(*) AS n FROM known_values GROUP BY 1 ORDER BY 1")
    assert tenants == [{"tenant": "as100", "n": 2}, {"tenant": "other", "n": 2}]


async def test_the_run_itself_is_an_entry(run: Run, pool: Pool, tmp_path: Path) -> None:
    _, report, _ = await _report(run, _file(tmp_path, "login", "asha", ""), "--actor", "auditor")

    [entry] = await rows(pool, "SELECT * FROM entries WHERE outcome = 'import finished'")
    assert (entry["actor"], entry["subject"], entry["hook"]) == ("auditor", None, "import")
    assert entry["detail"]["file"] == report["file_hash"]
    assert entry["detail"]["created"] == 1


async def test_another_import_of_the_tenant_is_waited_for(run: Run, pool: Pool, tmp_path: Path) -> None:
    from ledger.engine import connect_alone

    other = await connect_alone(Store(url=(tmp_path / "store.url").read_text()), "test", 5)
    await other.fetchval("SELECT pg_advisory_lock(hashtextextended('import:as100', 0))")

    result = await run("import", _file(tmp_path, "login", "asha"))

    await other.close()
    assert result.exit_code == 2
    assert "another import of as100 is running" in result.output


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (("name,email", "asha,x"), "no column is the login"),
        (("asha@example.com,Pune", "ravi@example.com,Agra"), "the first line holds data"),
    ],
)
async def test_a_file_that_cannot_be_read_ends_with_two(
    run: Run, tmp_path: Path, lines: tuple[str, ...], says: str
) -> None:
    result = await run("import", _file(tmp_path, *lines))

    assert result.exit_code == 2
    assert says in result.output


async def test_a_store_out_of_reach_ends_with_two(run: Run, tmp_path: Path) -> None:
    (tmp_path / "store.url").write_text("postgresql://a:b@127.0.0.1:1/none")

    result = await run("import", _file(tmp_path, "login", "asha"))

    assert result.exit_code == 2
    assert "the store does not answer" in result.output


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
async def test_the_report_is_for_people(run: Run, tmp_path: Path, dry: tuple[str, ...]) -> None:
    file = _file(tmp_path, "login,email,hat", "asha,a@example.com,blue", "ravi,a@example.com,red")

    result = await run("import", file, *dry)

    assert ("2  would be new" if dry else "2  new") in result.output
    assert "columns not read: hat" in result.output
    assert "email is also that of line 2" in result.output
