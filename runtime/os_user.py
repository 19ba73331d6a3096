"""Who works at this machine, as the ledger names them."""

import getpass
import os


def os_user() -> str:
    """`os:NAME`; `os:uid N` where the user has no name, as in a container that runs under any number. Never raises."""
    try:
        return f"os:{getpass.getuser()}"
    except (KeyError, OSError):  # the first up to Python 3.12, the second from 3.13 on
        return f"os:uid {os.getuid()}"
