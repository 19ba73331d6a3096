"""What breaks: one function per fault, which breaks, waits, and mends again."""

import resource
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from chaos.stack import APIS, WORKERS, Stack

POSTGRES_AWAY = 30.0
TEMPORAL_AWAY = 60.0
CUT_OFF = 15.0
SLOW = 15.0
DISK_FULL = "disk full"
DISK_FULL_FOR = 10.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of trouble. `kills`: how many processes it ends; `seconds`: about how long it lasts."""

    name: str
    kills: int
    seconds: float
    do: Callable[[Stack, Random], None]


@dataclass(frozen=True, slots=True)
class Happened:
    """A fault as it took place, in seconds since the epoch."""

    name: str
    kills: int
    begun: float
    over: float


def _restart(names: Sequence[str], number: signal.Signals, stack: Stack, chance: Random) -> None:
    name = chance.choice(names)
    stack.end(name, number)
    time.sleep(chance.uniform(0, 2))
    stack.start(name)


def _postgres(number: signal.Signals, seconds: float, stack: Stack, chance: Random) -> None:
    stack.end_postgres(number)
    time.sleep(seconds or chance.uniform(0, 2))
    stack.start_postgres()


def _temporal(number: signal.Signals, seconds: float, stack: Stack, chance: Random) -> None:
    stack.end_temporal(number)
    time.sleep(seconds or chance.uniform(0, 2))
    stack.start_temporal()


def _both_away(stack: Stack, _: Random) -> None:
    stack.end_temporal(signal.SIGKILL)
    stack.end_postgres(signal.SIGQUIT)
    time.sleep(POSTGRES_AWAY)
    stack.start_postgres()
    time.sleep(max(0.0, TEMPORAL_AWAY - POSTGRES_AWAY))
    stack.start_temporal()


def _disk_full(stack: Stack, _: Random) -> None:
    """No file of the apis may grow, as on a full disk, while Postgres is away: the kernel refuses what they write."""
    before = {stack.running[name].pid: (0, 0) for name in APIS}
    for pid in before:
        before[pid] = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[pid][1]))
    try:
        stack.end_postgres(signal.SIGQUIT)
        time.sleep(DISK_FULL_FOR)
    finally:
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
    stack.start_postgres()
    time.sleep(4)  # what was answered with neither store nor disk is in memory: a kill now would lose it


def _cut_off(stack: Stack, chance: Random) -> None:
    relay = chance.choice(stack.wires.temporal)
    stack.wires.do(relay.cut)
    time.sleep(CUT_OFF)
    stack.wires.do(relay.mend)


def _slow(stack: Stack, chance: Random) -> None:
    def slower() -> None:
        stack.wires.store.delay = chance.uniform(0.2, 0.8)

    def well() -> None:
        stack.wires.store.delay = 0.0

    stack.wires.do(slower)
    time.sleep(SLOW)
    stack.wires.do(well)


def _deploy(stack: Stack, _: Random) -> None:
    """One process after the other gets the other release: an activity comes, or goes, while both releases run."""
    for name in (WORKERS[0], APIS[0], WORKERS[1], APIS[1]):
        stack.end(name, signal.SIGTERM)
        stack.releases[name] = 1 - stack.releases[name]
        stack.start(name)
        time.sleep(3)


_KILL, _TERM = signal.SIGKILL, signal.SIGTERM
FAULTS = (
    Fault("api killed", 1, 3, partial(_restart, APIS, _KILL)),
    Fault("worker killed", 1, 3, partial(_restart, WORKERS, _KILL)),
    Fault("postgres killed", 1, 4, partial(_postgres, _KILL, 0)),
    Fault("temporal killed", 1, 3, partial(_temporal, _KILL, 0)),
    Fault("one terminated", 1, 4, partial(_restart, (*APIS, *WORKERS), _TERM)),
    Fault("postgres away", 1, POSTGRES_AWAY + 2, partial(_postgres, signal.SIGINT, POSTGRES_AWAY)),
    Fault("temporal away", 1, TEMPORAL_AWAY + 2, partial(_temporal, _TERM, TEMPORAL_AWAY)),
    Fault("both away", 2, TEMPORAL_AWAY + 3, _both_away),
    Fault(DISK_FULL, 1, DISK_FULL_FOR + 7, _disk_full),
    Fault("worker cut off", 0, CUT_OFF, _cut_off),
    Fault("postgres slow", 0, SLOW, _slow),
    Fault("deploy", 4, 25, _deploy),
)


def chosen(count: int, chance: Random) -> list[Fault]:
    """So many faults in a random order: each kind once before any comes twice."""
    order: list[Fault] = []
    while len(order) < count:
        order += chance.sample(FAULTS, len(FAULTS))
    return order[:count]


def happen(fault: Fault, stack: Stack, chance: Random) -> Happened:
    """Lets it happen, from the breaking to the mended end."""
    begun = time.time()
    fault.do(stack, chance)
    stack.wait_until_taking()
    return Happened(fault.name, fault.kills, begun, time.time())
