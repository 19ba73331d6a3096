"""However many rows there are, a pack is made and checked in the same memory: the peaks of real processes."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from ledger.pack import verify
from tests.architecture.tree import ROOT
from tests.conftest import TEMPLATE
from tests.ledger.sealing import SIGNER, database
from tests.support import Servers, write_configuration

MANY = 15_000
MOST = 150
"""MiB, of either."""
MORE = 24
"""MiB that a thousand times as many rows may take; their text alone is more."""

# VmHWM, not getrusage: that begins with what the process had that started this one.
_RUN = """
import runpy, sys
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:"))
    print(end.code or 0, int(peak) // 1024, file=sys.stderr)
"""
_FILL = f"""
    INSERT INTO entries (at, tenant, delivery, hook, outcome, actor, code_version, rules_hash, detail)
    SELECT clock_timestamp(), 'as100', gen_random_uuid(), 'postUpdateUser', 'done', 'tester', 'test', 'test',
           jsonb_build_object('n', n, 'more', repeat('x', 1800)) FROM generate_series(1, {MANY}) n
"""


async def _peak(environment: dict[str, str], *command: str) -> int:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", _RUN, *command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    code, peak = done.stderr.split()[-2:]
    assert code == "0", done.stderr
    return int(peak)


async def test_a_pack_takes_as_much_memory_for_many_rows_as_for_few(servers: Servers, tmp_path: Path) -> None:
    seal = f'[ledger.seal]\norigin = "example.com/ledger"\nkeys = [{{ name = "one", public = "{SIGNER.verifier}" }}]\n'
    async with database(servers, TEMPLATE) as ledger:
        write_configuration(tmp_path, ledger.store, seal)
        environment = os.environ | {"HOOKLEDGER_CONFIG": str(tmp_path / "hookledger.toml")}
        export = (str(ROOT / "cli.py"), "ledger", "export", "--pack")
        await ledger.receive("few.rows")
        await ledger.seal()
        made = [await _peak(environment, *export, str(tmp_path / "few.zip"))]
        await ledger.sql(_FILL)
        await ledger.seal(most=5_000)
        made.append(await _peak(environment, *export, str(tmp_path / "many.zip")))
    checked = [
        await _peak({}, str(verify.__file__), str(tmp_path / f"{name}.zip")) for name in ("few", "many")
    ]

    for few, many in (made, checked):
        assert many <= MOST
        assert many - few <= MORE
