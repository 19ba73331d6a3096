"""From a row of a file to a user without secrets: the cells of CSV by their columns, or a line of JSON as it is."""

from typing import Any, cast

from api import body as bodies
from api.problems import Problem
from commands.importing.files import Cells
from commands.importing.mapping import WHOLE_NUMBERS, Column, Columns, NoDate, cell_value
from hooks.secrets import TooDeep, cut, ordinary
from ledger.importing import Finding

User = dict[str, Any]

_BROKEN_JSON = {"not_utf8": "encoding", "too_deep": "too deep", "not_an_object": "no user"}


def whole_user(line: int, said: bytes, max_depth: int, findings: list[Finding]) -> User | None:
    """None if it is none; then a finding says why."""
    try:
        return _with_login(cut(bodies.parse(said.strip()), max_depth))
    except Problem as problem:
        findings.append(Finding(line, _BROKEN_JSON.get(problem.code, "bad JSON")))
    except TooDeep:
        findings.append(Finding(line, "too deep"))
    return None


def _with_login(user: User) -> User:
    """The platform's stored user has its login further down (CONTRACT B2.1)."""
    if "login" in user:
        return user
    inner: Any = user
    for key in ("provisionedApps", "CYMMETRI", "login", "login"):
        inner = cast("User", inner).get(key) if isinstance(inner, dict) else None
    return {"login": inner, **user} if isinstance(inner, str) else user


class CellReader:
    """Reads the cells of a file with these columns."""

    def __init__(self, columns: Columns, max_depth: int) -> None:
        self.width = columns.width
        plain = [c for c in columns.columns if _is_plain(c)]
        self._plain = [(c.place, c.path[0], c.source.default) for c in plain if c.place is not None]
        self._others = [c for c in columns.columns if c not in plain or c.place is None]
        self._ordinary = ordinary(name for c in columns.columns for name in c.path)
        self._max_depth = max_depth

    def user(self, line: int, cells: Cells, findings: list[Finding]) -> User | None:
        """None if the row cannot be read; then a finding says why. An empty cell without default says nothing."""
        if len(cells) != self.width and (len(cells) < self.width or any(cells[self.width :])):
            findings.append(Finding(line, "columns"))
            return None
        if not _is_text(cells):
            findings.append(Finding(line, "encoding"))
            return None
        user: User = {}
        for place, name, default in self._plain:
            cell = cells[place].strip() or default
            if cell:
                user[name] = cell
        for column in self._others:
            self._put(user, column, line, cells, findings)
        return user if self._ordinary else cut(user, self._max_depth)

    def _put(self, user: User, column: Column, line: int, cells: Cells, findings: list[Finding]) -> None:
        cell = cells[column.place].strip() if column.place is not None else ""
        cell = cell or column.source.default
        if not cell:
            return
        value: Any = cell
        try:
            value = cell_value(column.source, cell)
        except NoDate:
            findings.append(Finding(line, "no date", column.attribute))
        if column.path in WHOLE_NUMBERS and cell.isascii() and cell.isdigit():
            value = int(cell)
        for part in column.path[:-1]:
            user = user.setdefault(part, {})
        user[column.path[-1]] = value


def _is_plain(column: Column) -> bool:
    """Text at the top of the user, as most are."""
    return (
        len(column.path) == 1
        and column.path not in WHOLE_NUMBERS
        and column.source.split is None
        and column.source.date is None
    )


def _is_text(cells: Cells) -> bool:
    """Bytes that are not of the file's encoding were read as halves of surrogate pairs."""
    text = "".join(cells)
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
