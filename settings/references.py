"""References to secrets: they stand in the environment or in a file, never in the configuration itself."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

# The validation context is the directory of the configuration file. Objects made in code have none, and carry
# the values themselves.


@dataclass(frozen=True, slots=True)
class Missing:
    """Stands in an activity's settings for a reference that this process cannot read; `words` say why."""

    words: str


def _resolve(value: Any, info: ValidationInfo) -> Any:
    """The text behind `{env = "NAME"}` or `{file = "path"}`."""
    if info.context is None:
        return value
    if not _is_reference(value):
        raise ValueError('must be a reference, {env = "NAME"} or {file = "path"}, never the secret itself')
    return _read(value, cast("Path", info.context))


def _resolve_if_there(value: Any, info: ValidationInfo) -> Any:
    """Like _resolve, but None while the variable or file does not exist: only some processes are given it."""
    if info.context is not None and _is_reference(value):
        root = cast("Path", info.context)
        there = value["env"] in os.environ if "env" in value else located(root, value["file"]).exists()
        if not there:
            return None
    return _resolve(value, info)


def _resolve_free(value: Any, info: ValidationInfo) -> Any:
    """Resolves whatever is a reference in an activity's own settings, at any depth. Only the worker needs them all."""
    if info.context is None:
        return value
    if _is_reference(value):
        try:
            return _read(value, cast("Path", info.context))
        except ValueError as wrong:
            return Missing(str(wrong))
    if isinstance(value, dict):
        return {k: _resolve_free(v, info) for k, v in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_resolve_free(v, info) for v in cast("list[Any]", value)]
    return value


def _is_reference(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    match list(cast("dict[str, Any]", value).items()):
        case [("env" | "file", str(target))]:
            return target != ""
        case _:
            return False


def located(root: Path, target: str) -> Path:
    """Where a file of a reference is: beside the configuration, or among the credentials that systemd gave this unit."""
    _, credential, name = target.partition("$CREDENTIALS_DIRECTORY/")
    return Path(os.environ.get("CREDENTIALS_DIRECTORY", "")) / name if credential else root / target


def leads_to_nothing(value: Any, root: Path) -> bool:
    """Whether a reference's variable or file is missing or empty; one that cannot be read is another matter."""
    if not _is_reference(value):
        return False
    if "env" in value:
        return not os.environ.get(value["env"])
    file = located(root, value["file"])
    return not file.exists() or file.stat().st_size == 0


def _read(reference: dict[str, str], root: Path) -> str:
    if name := reference.get("env"):
        if not (text := os.environ.get(name)):
            # Some put the secret itself where its name belongs: only what is plainly a name is repeated.
            shown = name if re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+", name) else "named here"
            raise ValueError(f"environment variable {shown} is not set (or empty): set it before the start")
        return text
    path = located(root, reference["file"])
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"cannot read {path}: it must hold text in UTF-8") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise ValueError(f"{path} is empty")
    return text


def _beside_the_file(value: Path, info: ValidationInfo) -> Path:
    if info.context is None:
        return value
    path = cast("Path", info.context) / value
    if not os.access(path, os.R_OK):
        raise ValueError(f"cannot read {path}: check the path (relative to this file) and its permissions")
    return path


def _of_one_process(value: Path, info: ValidationInfo) -> Path:
    return value if info.context is None else located(cast("Path", info.context), str(value))


def _from_the_file(value: Path, info: ValidationInfo) -> Path:
    return value if info.context is None else cast("Path", info.context) / value


Referenced = BeforeValidator(_resolve)
ReferencedIfThere = BeforeValidator(_resolve_if_there)
Free = Annotated[Any, BeforeValidator(_resolve_free)]
"""Any value, with the references in it resolved, or Missing in their place (see settings/lacking.py)."""
File = Annotated[Path, AfterValidator(_beside_the_file)]
"""A readable file, its path relative to the configuration file."""
FileOfOne = Annotated[Path, AfterValidator(_of_one_process)]
"""A file that one process is given, named as in a reference: whether it can be read shows where it is used."""
Folder = Annotated[Path, AfterValidator(_from_the_file)]
"""A folder that need not be there yet, its path relative to the configuration file."""
