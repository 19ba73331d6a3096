"""Runs the coverage-guided fuzzers side by side, from what is kept, and keeps what they reach that nothing did."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from dev import processes
from fuzz.corpus import keep, kept

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("receiving", "spooling")
_LONGEST_INPUT = 4096
_WRONG = ROOT / ".hookledger"
_WORDS = Path(__file__).parent / "corpus" / "words.dict"
_RUNS = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_COVER = re.compile(r"cov: (\d+) ft: (\d+)")


class FuzzError(Exception):
    """The fuzzers cannot run; the text says why."""


@dataclass(frozen=True)
class Grown:
    """What one target came to. `wrong` is the file of an input that went wrong, with the fuzzer's last words."""

    runs: int
    reached: int
    """Places in our code that the inputs reach, as libFuzzer counts them."""
    kept: int
    wrong: Path | None
    words: str


def grow(seconds: float, progress: Callable[[float], None]) -> dict[str, Grown]:
    """Grows all targets for so long, and replaces what is kept of them. Raises FuzzError."""
    if find_spec("atheris") is None:
        raise FuzzError("atheris is installed for Python 3.11 on x86-64 Linux only: use that, or --minutes 0")
    _WRONG.mkdir(exist_ok=True)
    with _folders() as folders:
        running = {target: _start(target, seconds, folders[target]) for target in TARGETS}
        began = time.monotonic()
        while any(process.poll() is None for process in running.values()):
            progress(min(1.0, (time.monotonic() - began) / seconds))
            time.sleep(0.5)
        return {target: _grown(target, folders[target], process) for target, process in running.items()}


@contextmanager
def _folders() -> Generator[dict[str, Path]]:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folders = {target: Path(name) / target for target in TARGETS}
        for target, folder in folders.items():
            (folder / "inputs").mkdir(parents=True)
            for data in kept(target):
                (folder / "inputs" / sha256(data).hexdigest()).write_bytes(data)
        yield folders


def _start(target: str, seconds: float, folder: Path) -> subprocess.Popen[bytes]:
    options = [
        f"-max_total_time={seconds:.0f}",
        f"-max_len={_LONGEST_INPUT}",
        f"-artifact_prefix={folder}/wrong-",
        f"-dict={_WORDS}",
        "-timeout=10",
        "-rss_limit_mb=4096",
        "-print_final_stats=1",
    ]
    return _fuzzer(target, folder / "log", *options, str(folder / "inputs"))


def _fuzzer(target: str, log: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "fuzz.guided", target, *options]
    return processes.spawn(command, log=log, env=os.environ, cwd=ROOT)


def _grown(target: str, folder: Path, process: subprocess.Popen[bytes]) -> Grown:
    words = (folder / "log").read_text(errors="replace")
    wrong = next(folder.glob("wrong-*"), None)
    if wrong is not None:
        wrong = Path(shutil.copy(wrong, _WRONG / f"{target}-{wrong.name}"))
    elif process.returncode:
        raise FuzzError(f"the fuzzer of {target} ended with {process.returncode}:\n{words[-2000:]}")
    runs, covers = _RUNS.findall(words), _COVER.findall(words)
    return Grown(
        runs=int(runs[-1]) if runs else 0,
        reached=int(covers[-1][0]) if covers else 0,
        kept=_merge(target, folder),
        wrong=wrong,
        words=words[-3000:] if wrong else "",
    )


def _merge(target: str, folder: Path) -> int:
    """Keeps the smallest inputs that together reach all that was reached; how many they are."""
    smallest = folder / "smallest"
    smallest.mkdir()
    options = ["-merge=1", f"-max_len={_LONGEST_INPUT}", str(smallest), str(folder / "inputs")]
    merging = _fuzzer(target, folder / "merge", *options)
    merging.wait(600)
    inputs = [path.read_bytes() for path in smallest.iterdir()]
    if merging.returncode == 0 and inputs:
        keep(target, inputs)
    return len(kept(target))
