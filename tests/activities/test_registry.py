"""Finding activities: files, packages named in HOOKLEDGER_ACTIVITIES, entry points; and what is wrong with them."""

import sys
import uuid
from collections.abc import Callable, Generator
from importlib import invalidate_caches
from pathlib import Path

import pytest

from activities._registry import registry

Package = Callable[..., str]

_FILE = '''"""Says something."""
from activities import Event, Hook, Tools, activity


@activity(on=Hook.POST_PROVISION{options})
async def {name}(event: Event, tools: Tools) -> None:
    """Does nothing."""
'''


def _file(name: str, **options: str) -> str:
    given = "".join(f", {key}={value!r}" for key, value in options.items())
    return _FILE.format(name=name, options=given)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Package]:
    """Makes an importable package of the given files, and names it in the environment unless told not to."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    made: list[str] = []

    def make(*, named: bool = True, **files: str) -> str:
        name = f"tenant_{uuid.uuid4().hex[:8]}"
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text('"""A tenant\'s own."""\n')
        for module, text in files.items():
            (tmp_path / name / f"{module}.py").write_text(text)
        made.append(name)
        if named:
            monkeypatch.setenv("HOOKLEDGER_ACTIVITIES", ",".join(made))
        invalidate_caches()
        registry.cache_clear()
        return name

    monkeypatch.delenv("HOOKLEDGER_ACTIVITIES")
    registry.cache_clear()
    yield make
    for module in [m for m in sys.modules if m.split(".")[0] in made]:
        del sys.modules[module]


def _entry_point(tmp_path: Path, value: str) -> None:
    """Installs a distribution that has one entry point, as an installer would."""
    info = tmp_path / "tenant_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tenant-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[hookledger.activities]\nmine = {value}\n")
    registry.cache_clear()


BUILT_IN = {"change", "creation", "deprovisioning", "mail", "notify", "password", "provisioning"}


def test_the_files_beside_it() -> None:
    assert set(registry()) >= BUILT_IN


def test_a_named_package_adds_its_own_in_order_of_names(package: Package) -> None:
    package(zebra=_file("zebra"), apple=_file("apple"), _hidden=_file("hidden"))
    package(other=_file("other"))
    found = registry()
    assert set(found) >= BUILT_IN | {"zebra", "apple", "other"}
    assert "hidden" not in found
    assert list(found) == sorted(found)


def test_one_module_may_be_named(package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    name = package(badge=_file("badge"), door=_file("door"))
    monkeypatch.setenv("HOOKLEDGER_ACTIVITIES", f" {name}.badge ,")
    assert "badge" in registry()
    assert "door" not in registry()


def test_two_of_one_name_are_refused_with_both_places(package: Package) -> None:
    name = package(mine=_file("notify"))
    with pytest.raises(
        ValueError, match=rf"activity notify is in activities.notify and in {name}.mine: rename"
    ):
        registry()


def test_the_same_one_seen_twice_is_fine(package: Package) -> None:
    package(again="from activities.notify import notify\n\n__all__ = ['notify']\n")
    assert registry()["notify"].run.__module__ == "activities.notify"


@pytest.mark.parametrize(
    ("circle", "words"),
    [
        ({"a": "a"}, "a → a"),
        ({"a": "b", "b": "a"}, "a → b → a"),
        ({"a": "b", "b": "c", "c": "b"}, "b → c → b"),
    ],
)
def test_waiting_in_a_circle_is_refused(package: Package, circle: dict[str, str], words: str) -> None:
    package(**{name: _file(name, after=after) for name, after in circle.items()})
    with pytest.raises(ValueError, match=words):
        registry()


def test_waiting_for_a_chain_or_for_what_is_not_there_is_fine(package: Package) -> None:
    package(a=_file("a", after="b"), b=_file("b", after="c"), c=_file("c", after="gone"))
    assert registry()["a"].plan.after == "b"


def test_a_mistake_in_a_file_is_not_hidden(package: Package) -> None:
    package(wrong=_file("wrong", on_failure="never"))
    with pytest.raises(ValueError, match="activity wrong: on_failure"):
        registry()


def test_an_entry_point_may_be_a_module(package: Package, tmp_path: Path) -> None:
    name = package(named=False, plugged=_file("plugged"), other=_file("other"))
    _entry_point(tmp_path, f"{name}.plugged")
    assert "plugged" in registry()
    assert "other" not in registry()


def test_an_entry_point_may_be_a_package(package: Package, tmp_path: Path) -> None:
    name = package(named=False, plugged=_file("plugged"), other=_file("other"))
    _entry_point(tmp_path, name)
    assert {"plugged", "other"} <= set(registry())


def test_an_entry_point_that_is_neither_is_refused(package: Package, tmp_path: Path) -> None:
    name = package(named=False, plugged=_file("plugged"))
    _entry_point(tmp_path, f"{name}.plugged:plugged")
    with pytest.raises(TypeError, match=r"entry point mine = .*: name the module or package"):
        registry()
