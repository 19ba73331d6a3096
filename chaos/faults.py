"""What breaks: one function per fault, which breaks, lets time pass, and mends again."""

import resource
import signal
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random

from chaos.stack import APIS, WORKERS, Stack

POSTGRES_AWAY = 30.0
POSTGRES_LEAVES = 5.0
"""Seconds between its smart shutdown, which waits for its sessions, and its fast one, which ends them."""
TEMPORAL_AWAY = 60.0
CUT_OFF = 15.0
SLOW = 15.0
DISK_FULL = "disk full"
DISK_FULL_FOR = 10.0


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds for which the trouble lasts; whether others may come meanwhile, as long as they leave Temporal alone."""

    seconds: float
    shared: bool = False


Course = Generator[Pause]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of trouble. `kills`: how many processes it ends; `seconds`: about how long it has the stage to itself."""

    name: str
    kills: int
    seconds: float
    do: Callable[[Stack, Random], Course]
    temporal: bool = False
    """Whether it takes Temporal away: one such at a time."""
    felt: bool = True
    """Whether a hook may go unanswered for it: not where only what runs behind the answers is broken."""
    parts: bool = False
    """Whether it can come between an effect elsewhere and its settlement: a worker or Postgres ends."""


@dataclass(frozen=True, slots=True)
class Happened:
    """A fault as it took place, in seconds since the epoch."""

    name: str
    kills: int
    begun: float
    over: float
    felt: bool = True
    parts: bool = False


@dataclass(slots=True)
class _UnderWay:
    fault: Fault
    course: Course
    begun: float
    until: float = 0.0


@dataclass(slots=True)
class Breaking:
    """Lets faults happen, one after another; while Temporal is away for long, others come as well."""

    stack: Stack
    chance: Random
    over: list[Happened] = field(default_factory=list[Happened])
    _lasting: _UnderWay | None = None

    def next_of(self, coming: list[Fault]) -> Fault:
        """Takes out the first that need not wait for Temporal to be back; where all must, the first."""
        away = self._lasting is not None
        return coming.pop(next((n for n, fault in enumerate(coming) if not (away and fault.temporal)), 0))

    def happen(self, fault: Fault) -> None:
        """From the breaking to the mended end, or to where others may come meanwhile."""
        if fault.temporal:
            self.mend()
        self._go_on(_UnderWay(fault, fault.do(self.stack, self.chance), time.time()))

    def mend(self) -> None:
        """Waits until nothing is broken any more."""
        if self._lasting is not None:
            self._sleep(max(0.0, self._lasting.until - time.time()))

    def happened(self) -> list[Happened]:
        """What is over, in the order in which it began."""
        return sorted(self.over, key=lambda fault: fault.begun)

    def _go_on(self, one: _UnderWay) -> None:
        for pause in one.course:
            if pause.shared:
                one.until, self._lasting = time.time() + pause.seconds, one
                return
            self._sleep(pause.seconds)
        self.stack.wait_until_taking()
        fault = one.fault
        self.over.append(Happened(fault.name, fault.kills, one.begun, time.time(), fault.felt, fault.parts))

    def _sleep(self, seconds: float) -> None:
        """Meanwhile what lasted its time is mended."""
        until = time.time() + seconds
        if (one := self._lasting) is not None and one.until <= until:
            time.sleep(max(0.0, one.until - time.time()))
            self._lasting = None
            self._go_on(one)
        time.sleep(max(0.0, until - time.time()))


def _restart(names: Sequence[str], number: signal.Signals, stack: Stack, chance: Random) -> Course:
    name = chance.choice(names)
    stack.end(name, number)
    yield Pause(chance.uniform(0, 2))
    stack.start(name)


def _postgres_killed(stack: Stack, chance: Random) -> Course:
    stack.end_postgres(signal.SIGKILL)
    yield Pause(chance.uniform(0, 2))
    stack.start_postgres()


def _postgres_away(stack: Stack, _: Random) -> Course:
    """First it lets nobody new in while its sessions live on, then it ends them and is gone."""
    stack.tell_postgres(signal.SIGTERM)
    yield Pause(POSTGRES_LEAVES)
    stack.end_postgres(signal.SIGINT)
    yield Pause(POSTGRES_AWAY)
    stack.start_postgres()


def _temporal(number: signal.Signals, stack: Stack, chance: Random) -> Course:
    stack.end_temporal(number)
    yield Pause(chance.uniform(0, 2))
    stack.start_temporal()


def _temporal_away(stack: Stack, _: Random) -> Course:
    stack.end_temporal(signal.SIGTERM)
    yield Pause(TEMPORAL_AWAY, shared=True)
    stack.start_temporal()


def _both_away(stack: Stack, _: Random) -> Course:
    stack.end_temporal(signal.SIGKILL)
    stack.end_postgres(signal.SIGQUIT)
    yield Pause(POSTGRES_AWAY)
    stack.start_postgres()
    yield Pause(TEMPORAL_AWAY - POSTGRES_AWAY, shared=True)
    stack.start_temporal()


def _disk_full(stack: Stack, _: Random) -> Course:
    """No file of the apis may grow, as on a full disk, while Postgres is away: the kernel refuses what they write."""
    before = {stack.running[name].pid: (0, 0) for name in APIS}
    for pid in before:
        before[pid] = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[pid][1]))
    try:
        stack.end_postgres(signal.SIGQUIT)
        yield Pause(DISK_FULL_FOR)
    finally:
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
    stack.start_postgres()
    yield Pause(4)  # what was answered with neither store nor disk is in memory: a kill now would lose it


def _cut_off(stack: Stack, chance: Random) -> Course:
    relay = chance.choice(stack.wires.temporal)
    stack.wires.do(relay.cut)
    yield Pause(CUT_OFF)
    stack.wires.do(relay.mend)


def _slow(stack: Stack, chance: Random) -> Course:
    def slower() -> None:
        stack.wires.store.delay = chance.uniform(0.2, 0.8)

    def well() -> None:
        stack.wires.store.delay = 0.0

    stack.wires.do(slower)
    yield Pause(SLOW)
    stack.wires.do(well)


def _deploy(stack: Stack, _: Random) -> Course:
    """Two releases, each for one process after the other: an activity comes, then goes, while old and new run."""
    newest = max(stack.releases.values())
    for release in (newest + 1, newest + 2):
        for name in (WORKERS[0], APIS[0], WORKERS[1], APIS[1]):
            stack.end(name, signal.SIGTERM)
            stack.releases[name] = release
            stack.start(name)
            yield Pause(3)


_KILL, _TERM = signal.SIGKILL, signal.SIGTERM
FAULTS = (
    Fault("api killed", 1, 3, partial(_restart, APIS, _KILL)),
    Fault("worker killed", 1, 3, partial(_restart, WORKERS, _KILL), felt=False, parts=True),
    Fault("postgres killed", 1, 4, _postgres_killed, parts=True),
    Fault("temporal killed", 1, 3, partial(_temporal, _KILL), temporal=True, felt=False),
    Fault("one terminated", 1, 4, partial(_restart, (*APIS, *WORKERS), _TERM), parts=True),
    Fault("postgres away", 1, POSTGRES_LEAVES + POSTGRES_AWAY + 2, _postgres_away, parts=True),
    Fault("temporal away", 1, 2, _temporal_away, temporal=True, felt=False),
    Fault("both away", 2, POSTGRES_AWAY + 3, _both_away, temporal=True, parts=True),
    Fault(DISK_FULL, 1, DISK_FULL_FOR + 7, _disk_full, parts=True),
    Fault("worker cut off", 0, CUT_OFF, _cut_off, felt=False),
    Fault("postgres slow", 0, SLOW, _slow),
    Fault("deploy", 8, 40, _deploy, parts=True),
)


def chosen(count: int, chance: Random) -> list[Fault]:
    """So many faults in a random order: each kind once before any comes twice."""
    order: list[Fault] = []
    while len(order) < count:
        order += chance.sample(FAULTS, len(FAULTS))
    return order[:count]
