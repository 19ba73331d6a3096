"""Keeps what a process holds in memory, passwords too, from being written out by a crash or read by its neighbours."""

import ctypes
import logging
import resource
import sys

log = logging.getLogger(__name__)

_PR_SET_DUMPABLE = 4


def close_memory() -> None:
    """No core dump, and nobody of the same user attaches to this process or reads its memory and environment (root does).

    The limit alone would not do: where the kernel hands cores to a program, it does not ask it (core(5)). The kernel
    forgets both when another program is executed, so a unit's LimitCORE=0 stands beside it for what we start.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        log.warning("this process may be dumped and read by its user: prctl gave %d", ctypes.get_errno())
