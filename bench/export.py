"""How much memory an auditor's pack takes, to make and to check, and for how long: each in a process of its own.

The peak is the kernel's, of the whole process from its start: VmHWM, since what getrusage says begins with what the process
that started it had. The ledger is filled by single statements, and sealed, before.
"""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

from bench import traffic
from bench.figures import Notebook
from bench.sealing import configured, fill, told
from bench.stack import ROOT, BenchError, Stack
from ledger.engine import connect
from ledger.note import verifiers_of
from ledger.pack.asked import PackAsked
from ledger.pack.making import Making, make_pack
from runtime.reading import reader
from settings import Settings, load

_VERIFIER = ROOT / "ledger" / "pack" / "verify.py"
_CHECK = """
import runpy, sys, time
sys.argv = sys.argv[1:]
begin = time.perf_counter()
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    took = time.perf_counter() - begin
    peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:"))
    print(end.code, took, int(peak) / 1024, file=sys.stderr)
"""


def round_of(one: Stack, entries: int, number: int, notebook: Notebook) -> None:
    """One pack of so many entries, made and checked. Raises BenchError if it does not fit."""
    database, environment = configured(one, f"export{number}")
    one.postgres.sql(fill(entries), database.name)
    told(environment, "seal")
    one.wait_until_quiet()
    pack = one.directory / f"pack{number}.zip"
    command = [sys.executable, "-m", "bench.export", str(pack)]
    made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if made.returncode:
        raise BenchError(f"the pack was not made: {made.stderr.strip()[-500:]}")
    facts = json.loads(made.stdout)
    checked = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _CHECK, str(_VERIFIER), str(pack)],
        env={}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    code, took, peak = checked.stderr.split()[-3:]
    if code != "0":
        raise BenchError(f"the pack does not fit: {checked.stdout.strip()[-500:]}")
    megabytes = pack.stat().st_size / 1e6
    pack.unlink()
    one.postgres.drop(database.name)
    notebook.note(
        export_peak_mib=facts["peak"],
        export_rows_per_s=facts["rows"] / facts["seconds"],
        export_rows=facts["rows"],
        export_mb=megabytes,
        export_check_peak_mib=float(peak),
        export_check_rows_per_s=facts["rows"] / float(took),
    )


async def made(settings: Settings, pack: Path) -> dict[str, float]:
    """Makes it as the command does. Gives seconds, rows, and the peak of this process in MiB."""
    engine = connect(settings.store.url, name="bench export", pool_size=2, statement_timeout=600)
    asked = PackAsked(tenant=traffic.TENANT)
    begin = time.perf_counter()
    with pack.open("wb") as out:

        async def write(data: bytes) -> None:
            out.write(data)

        keys = verifiers_of(settings.ledger.seal)
        whole = await make_pack(Making(settings.store, engine, asked, reader(), keys), write)
    took = time.perf_counter() - begin
    await engine.dispose()
    return {"rows": whole.rows, "seconds": took, "peak": peak_mib()}


def peak_mib() -> float:
    """The most memory that this process ever had, as Linux tells it (proc_pid_status)."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in status if line.startswith("VmHWM:")).split()[1]) / 1024


if __name__ == "__main__":
    print(json.dumps(asyncio.run(made(load(), Path(sys.argv[1])))))
