"""`new activity`: writes an activity's file and its test, both of which run as they are."""

import keyword
import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from string import Template

import activities
from activities._registry import registry
from commands.ending import stop
from commands.output import console
from hooks import by_module

ROOT = Path(__file__).resolve().parent.parent
_TEMPLATES = Path(__file__).resolve().parent / "templates"
_LONGEST = 96
"""Of a list that the formatter leaves on the decorator's line."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an activity is written: its file, its test, and the package that they import it from."""

    file: Path
    test: Path
    package: str


def run(name: str, on: list[str], directory: Path) -> None:
    """Writes both files and says what to do next; changes nothing if anything is in the way."""
    place = _place(name, directory)
    _check_name(name, place)
    constants = [_constant(hook) for hook in on]
    values = {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "package": place.package,
        "options": _options(constants),
        "first": constants[0],
        "imports": _imports(name, place.package),
    }
    if not place.file.parent.exists():
        _write(place.file.parent / "__init__.py", '"""Activities of our own, one file each."""\n')
    _write(place.file, _filled("activity.txt", values))
    _write(place.test, _filled("test_activity.txt", values))
    _say_next(name, place)


def _place(name: str, directory: Path) -> Place:
    path = (ROOT / directory).resolve()
    if not path.is_relative_to(ROOT) or path == ROOT:
        stop(f"--dir {directory}: must be a directory inside {ROOT}")
    parts = path.relative_to(ROOT).parts
    if not all(part.isidentifier() for part in parts):
        stop(f"--dir {directory}: is imported as a package, so its parts must be names of Python")
    return Place(path / f"{name}.py", ROOT / "tests" / Path(*parts) / f"test_{name}.py", ".".join(parts))


def _check_name(name: str, place: Place) -> None:
    """A name is permanent: it stands in the ledger and in the store's plans."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        stop(
            f"{name}: a name is a-z, 0-9 and _, at most 63 characters, begins with a letter, no word of Python"
        )
    try:
        known = registry()
    except Exception as wrong:
        stop(f"the activities that are there do not load ({type(wrong).__name__}: {wrong}): mend that first")
    if name in known:
        stop(f"{name}: there is such an activity; ./hookledger activities lists them")
    if hasattr(activities, name):
        stop(f"{name}: is a word of the package activities, which a file of that name would hide")
    for path in (place.file, place.test):
        if path.exists():
            stop(f"{path.relative_to(ROOT)} is there already")


def _constant(spelling: str) -> str:
    """POST_PROVISION for postProvision, POST_PROVISION or post_provision, in any case."""
    wanted = spelling.replace("_", "").lower()
    found = next((m for m, hook in by_module().items() if hook.name.lower() == wanted), None)
    if found is None:
        stop(f"--on {spelling}: no such hook; {_suggestion(wanted)}")
    if not by_module()[found].about_user:
        stop(f"--on {spelling}: that hook is about no user, so nothing can be planned on it")
    return found.upper()


def _suggestion(wanted: str) -> str:
    names = {hook.name.lower(): hook.name for hook in by_module().values() if hook.about_user}
    near = get_close_matches(wanted, names, 1, cutoff=0.5)
    meant = f"did you mean {names[near[0]]}? " if near else ""
    return f"{meant}there are {', '.join(names.values())}"


def _options(constants: list[str]) -> str:
    """The decorator's options, laid out as the formatter would."""
    listed = [f"Hook.{constant}" for constant in dict.fromkeys(constants)]
    line = listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"
    if len(line) <= _LONGEST:
        return f"on={line}"
    return "\n    on=[\n" + "".join(f"        {one},\n" for one in listed) + "    ],\n"


def _imports(name: str, package: str) -> str:
    """In the order that the linter wants."""
    modules = {
        "activities": "Event, Hook, Outcome, Tools",
        "activities._planning": "Planner",
        "activities._tools": "Db",
        f"{package}.{name}": name,
        "ledger.work": "Write",
    }
    return "\n".join(f"from {module} import {names}" for module, names in sorted(modules.items()))


def _filled(template: str, values: dict[str, str]) -> str:
    return Template((_TEMPLATES / template).read_text(encoding="utf-8")).substitute(values)


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def _say_next(name: str, place: Place) -> None:
    out = console()
    file, test = place.file.relative_to(ROOT), place.test.relative_to(ROOT)
    out.print(f"wrote {file}\nwrote {test}\n", markup=False)
    steps = [f"Write what it does in {file}; its first sentence is what lists show."]
    if place.package != "activities":
        steps.append(
            f"Let it be found: HOOKLEDGER_ACTIVITIES={place.package} for api, worker and this command."
        )
    steps += [
        f"Try it: .venv/bin/python -m pytest {test}",
        f"See it: ./hookledger activities (its name, {name}, is permanent once it has run)",
        "Restart worker and api: they read the files when they start.",
    ]
    for n, step in enumerate(steps, 1):
        out.print(f"{n}. {step}", markup=False, soft_wrap=True)
