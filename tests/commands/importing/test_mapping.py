"""From columns to attributes: by a mapping, by the columns' own names, and every mistake with its line."""

from pathlib import Path

import pytest

from commands.importing.mapping import Columns, MappingError, columns_of, read_mapping
from commands.importing.users import CellReader, User
from ledger.importing import Finding

MAPPING = """
delimiter = ";"
[user]
login = "Login"
userType = { column = "usertype", default = "Employee" }
country = { default = "India" }
startDate = { column = "Joined", date = "%d.%m.%Y" }
assignedGroups = { column = "Groups", split = "," }
attributes.costCentre = "Cost Centre"
"attributes.badge" = { column = "Badge", default = "none" }
"""
HEADER = ["Login", "usertype", "Joined", "Groups", "Cost Centre", "Badge", "Shoe Size"]


def _columns(tmp_path: Path, text: str, header: list[str] = HEADER) -> Columns:
    path = tmp_path / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    return columns_of(header, read_mapping(path))


def _read(columns: Columns, cells: list[str]) -> tuple[User | None, list[Finding]]:
    findings: list[Finding] = []
    return CellReader(columns, 64).user(7, cells, findings), findings


def test_columns_go_where_the_mapping_says(tmp_path: Path) -> None:
    columns = _columns(tmp_path, MAPPING)

    user, findings = _read(columns, ["asha", "Partner", "01.02.2026", "g1, g2", "CC-10", "B7", "42"])

    assert user == {
        "login": "asha",
        "userType": "Partner",
        "country": "India",
        "startDate": "2026-02-01",
        "assignedGroups": ["g1", "g2"],
        "attributes": {"costCentre": "CC-10", "badge": "B7"},
    }
    assert findings == []
    assert columns.ignored == ("Shoe Size",)


def test_an_empty_cell_has_its_default_or_says_nothing(tmp_path: Path) -> None:
    user, _ = _read(_columns(tmp_path, MAPPING), ["asha", " ", "", "", "", "", ""])

    assert user == {
        "login": "asha",
        "userType": "Employee",
        "country": "India",
        "attributes": {"badge": "none"},
    }


def test_a_date_that_is_none_is_kept_and_told(tmp_path: Path) -> None:
    user, findings = _read(_columns(tmp_path, MAPPING), ["asha", "", "soon", "", "", "", ""])

    assert user is not None
    assert user["startDate"] == "soon"
    assert findings == [Finding(7, "no date", "startDate")]


def test_the_platforms_own_names_need_no_mapping() -> None:
    columns = columns_of(
        ["usertype", "Login ID", "Department", "E-Mail", "attributes.costCentre", "Hat"], None
    )

    user, _ = _read(columns, ["Employee", "asha", "Finance", "a@example.com", "CC-10", "blue"])

    assert user == {
        "userType": "Employee",
        "login": "asha",
        "department": "Finance",
        "email": "a@example.com",
        "attributes": {"costCentre": "CC-10"},
    }
    assert columns.ignored == ("Hat",)


def test_a_version_is_a_number_because_it_orders_facts() -> None:
    user, _ = _read(columns_of(["login", "version"], None), ["asha", "12"])

    assert user == {"login": "asha", "version": 12}


@pytest.mark.parametrize("cells", [["asha"], ["asha", "x", "y"]])
def test_a_row_of_another_width_is_left_out(cells: list[str]) -> None:
    user, findings = _read(columns_of(["login", "email"], None), cells)

    assert (user, findings) == (None, [Finding(7, "columns")])


def test_empty_cells_behind_the_last_column_do_no_harm() -> None:
    assert _read(columns_of(["login", "email"], None), ["asha", "x", "", ""])[0] == {
        "login": "asha",
        "email": "x",
    }


@pytest.mark.parametrize("path", ["password", "attributes.apiToken", "securityQuestion"])
def test_a_secret_is_cut(tmp_path: Path, path: str) -> None:
    columns = _columns(tmp_path, f'[user]\nlogin = "a"\n"{path}" = "b"\n', ["a", "b"])

    user, _ = _read(columns, ["asha", "Sup3rSecret"])

    assert user is not None
    assert "Sup3rSecret" not in str(user)
    assert "[cut]" in str(user)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[usr]\n", ["mapping.toml:1: user: is missing or empty", "mapping.toml:1: usr: is not known here"]),
        ("[user]\nlogin = 5\n", ["mapping.toml:2: user.login: must be the name of a column"]),
        ('[user]\nlogin = "a"\nemail = { colum = "b", default = "x" }\n', ["mapping.toml:3: user.email"]),
        (
            '[user]\nlogin = { split = "," }\n',
            ["mapping.toml:2: user.login: needs a column, a default, or both"],
        ),
        ('delimiter = ";;"\n[user]\nlogin = "a"\n', ["mapping.toml:1: delimiter: must be one character"]),
        ('encoding = "klingon"\n[user]\nlogin = "a"\n', ["mapping.toml:1: encoding: must be the name"]),
        ("[user\n", ["not valid TOML"]),
        ('[user]\nemail = "a"\n', ["no column is the login among a, b"]),
        ('[user]\nlogin = "Lgin"\n', ["the file has no column Lgin"]),
        ('[user]\nlogin = "a"\nattributes = "b"\n"attributes.x" = "b"\n', ["attributes", "is inside"]),
    ],
)
def test_every_mistake_is_named(tmp_path: Path, text: str, says: list[str]) -> None:
    with pytest.raises(MappingError) as wrong:
        _columns(tmp_path, text, ["a", "b"])

    assert all(sentence in str(wrong.value) for sentence in says), str(wrong.value)


def test_a_file_without_header_is_not_echoed() -> None:
    with pytest.raises(MappingError, match="the first line holds data") as wrong:
        columns_of(["asha.example", "asha@example.com", "Finance"], None)

    assert "asha" not in str(wrong.value)
