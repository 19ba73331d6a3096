"""Who answers nobody that waits takes less of the processor than an api on the same machine."""

import os
import time

_STEPS = 5
"""Of priority (nice(2)): where the processor is short, an api gets about three times as much."""
_OWN_SESSION = "/proc/self/autogroup"
_TRIES = 5


def give_way() -> None:
    """For the rest of the process; where it leads a session, for that whole session.

    Goes before `close_memory`: what of a closed process stands in /proc is root's.
    """
    os.nice(_STEPS)
    # Linux groups processes by session: between two of them a process's own niceness counts for nothing (sched(7)).
    if os.getsid(0) == os.getpid():
        _session_gives_way()


def _session_gives_way() -> None:
    for _ in range(_TRIES):
        try:
            handle = os.open(_OWN_SESSION, os.O_WRONLY)
            try:
                os.write(handle, b"%d" % _STEPS)
            finally:
                os.close(handle)
        except BlockingIOError:
            time.sleep(0.1)  # the kernel takes one such change in a tenth of a second, whoever makes it
        except OSError:
            return  # a kernel that groups nothing
        else:
            return
