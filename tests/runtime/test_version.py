"""A release's name: given, or a hash that changes with the code and with what else is there."""

from collections.abc import Generator
from pathlib import Path

import pytest

from runtime import version
from runtime.version import code_version


@pytest.fixture(autouse=True)
def _fresh() -> Generator[None]:
    code_version.cache_clear()
    yield
    code_version.cache_clear()


def test_it_may_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKLEDGER_VERSION", "v1.2.3")
    assert code_version() == "v1.2.3"


def test_else_it_is_of_the_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HOOKLEDGER_VERSION", raising=False)
    monkeypatch.setattr(version, "_ROOT", tmp_path)
    (tmp_path / "activities").mkdir()
    names: list[str] = []
    for text in ("a = 1\n", "a = 2\n", "a = 1\n"):
        (tmp_path / "activities" / "one.py").write_text(text)
        code_version.cache_clear()
        names.append(code_version())
    assert names[0] == names[2] != names[1]
    (tmp_path / "activities" / "one.py").rename(tmp_path / "activities" / "two.py")
    code_version.cache_clear()
    assert code_version() not in names
    assert code_version(("badge",)) != code_version(("door",))
