"""The lines on which keys stand, for every way TOML has of writing them."""

import tomllib
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from settings.toml_lines import Path, line_of, lines_of

TEXT = """\
# a comment with [brackets]
top = 1
text = '''
[not.a.table]
x = 1
''' # after it
more = \"\"\"a "quoted" [word]\\\"\"\"\"
[a."b.c"]
x.y = [ # why
  1,
  [2, "]"],
  { p = 1, q = { r = 'x}' } },
]
when = 2026-01-01 00:00:00
[[rows]]
name = "first"
[[rows]]
name = "second"
[rows.inner]
deep = true
[[rows.list]]
v = 1
"""


def test_every_way_of_writing_a_key() -> None:
    lines = lines_of(TEXT)

    assert lines[("top",)] == 2
    assert lines[("more",)] == 7
    assert lines[("a", "b.c")] == 8
    assert lines[("a", "b.c", "x", "y")] == 9
    assert lines[("a", "b.c", "x", "y", 1, 1)] == 11
    assert lines[("a", "b.c", "x", "y", 2, "q", "r")] == 12
    assert lines[("a", "b.c", "when")] == 14
    assert lines[("rows", 0, "name")] == 16
    assert lines[("rows", 1, "name")] == 18
    assert lines[("rows", 1, "inner", "deep")] == 20
    assert lines[("rows", 1, "list", 0, "v")] == 22


def test_what_is_not_there_has_the_line_of_its_table() -> None:
    assert line_of(lines_of(TEXT), ("rows", 1, "inner", "missing", 3)) == 19
    assert line_of(lines_of(TEXT), ("nothing",)) == 1


def _paths(value: Any, path: Path = ()) -> set[Path]:
    if isinstance(value, dict):
        inner = cast("dict[str, Any]", value).items()
    elif isinstance(value, list):
        inner = enumerate(cast("list[Any]", value))
    else:
        return set()
    found: set[Path] = set()
    for part, below in inner:
        found |= {(*path, part)} | _paths(below, (*path, part))
    return found


def test_it_sees_exactly_the_keys_that_tomllib_sees() -> None:
    assert set(lines_of(TEXT)) == _paths(tomllib.loads(TEXT))


_values = st.recursive(
    st.sampled_from(
        ["1", "-2.5e3", "true", '"a # ] } = \\" b"', "'c = [ {'", '"""\n[x]\n\\""""', "07:32:00"]
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[\n" + ", # ]\n".join(items) + "\n]"),
        st.lists(inner, max_size=3).map(
            lambda items: "{ " + ", ".join(f'"k {n}" = {item}' for n, item in enumerate(items)) + " }"
        ),
    ),
    max_leaves=8,
)


@given(st.lists(_values, min_size=1, max_size=4))
def test_it_agrees_with_tomllib_on_any_values(values: list[str]) -> None:
    text = "".join(f"[t{n}]\nv{n} = {value}\n" for n, value in enumerate(values))

    lines = lines_of(text)

    assert set(lines) == _paths(tomllib.loads(text))
    for n in range(len(values)):
        assert text.splitlines()[lines[(f"t{n}", f"v{n}")] - 1].startswith(f"v{n} =")
