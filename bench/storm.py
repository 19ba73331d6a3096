"""A storm of joiners on either side: from the first hook to the last settled work, and what it cost."""

import asyncio
import itertools
import json
import signal
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from bench.stack import BenchError, Served, Stack
from bench.traffic import HOOKS_PER_JOINER

EFFECTS_PER_JOINER = 3
PROBE_PAUSE = 0.05
IDLE_SECONDS = 2.0
"""How long answers are timed before the storm begins."""

_OURS = """
SELECT (SELECT count(*) FROM work WHERE settled_at IS NULL), (SELECT count(*) FROM bench_effects),
       (SELECT extract(epoch FROM max(settled_at)) FROM work), (SELECT count(*) FROM deliveries)
"""
_NAIVE = """
SELECT 0, (SELECT count(*) FROM effects),
       extract(epoch FROM greatest((SELECT max(received_at) FROM deliveries), (SELECT max(at) FROM effects))),
       (SELECT count(*) FROM deliveries)
"""
_ACTIONS = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        EventType.EVENT_TYPE_TIMER_STARTED,
    }
)
"""What a histories' bill is made of; local activities are not on it."""


@dataclass(frozen=True, slots=True)
class State:
    """How far a side is: open work, effects done, when the last thing settled, deliveries stored."""

    unsettled: int
    effects: int
    last_at: float
    deliveries: int


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two designs, as a storm sees it."""

    name: str
    api: Served
    state_query: str
    workflow_type: str

    @classmethod
    def ours(cls, api: Served) -> "Side":
        """Hookledger."""
        return cls("Hookledger", api, _OURS, "UserLifecycle")

    @classmethod
    def naive(cls, api: Served) -> "Side":
        """The naive design."""
        return cls("naive", api, _NAIVE, "NaiveLifecycle")


@dataclass(frozen=True, slots=True)
class Storm:
    """One storm's cost. Seconds; `ack_vs_idle` is None where no answers were probed."""

    hooks: int
    seconds: float
    answered_in: float
    temporal_cpu_s: float
    actions: int
    ack_vs_idle: float | None

    @property
    def hooks_per_s(self) -> float:
        """From first hook to last settled work."""
        return self.hooks / self.seconds


_seeds = itertools.count(500)


def storm(
    stack: Stack, side: Side, users: int, *, gap: tuple[float, float] | None = None, probed: bool = False
) -> Storm:
    """Sends `users` joiners, waits until their work is settled, and counts. Raises BenchError if anything is amiss."""
    stack.wait_until_quiet()
    before = _state(stack, side)
    probe = _Probe(stack, side.api.port) if probed else None
    cpu, began = stack.temporal_cpu(), datetime.now(UTC)
    sent = _send(stack, side, users, gap)
    after = _settled(stack, side, before, users)
    ack = probe.ratio(sent["first_at"], sent["last_at"], after.last_at) if probe else None
    stack.wait_until_quiet()
    cpu = stack.temporal_cpu() - cpu
    actions = asyncio.run(_actions(stack, side.workflow_type, began))
    first_at = sent["first_at"]
    return Storm(
        users * HOOKS_PER_JOINER, after.last_at - first_at, sent["last_at"] - first_at, cpu, actions, ack
    )


def run_load(stack: Stack, what: str, port: int, *options: str) -> dict[str, Any]:
    """One run of the load generator, by its own words. Raises BenchError for any answer that is not a good one."""
    command = stack.load_command(what, port, *options)
    done = subprocess.run(command, env=stack.environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{what} went wrong: {done.stdout[:300]} {done.stderr[-500:]}")
    return json.loads(done.stdout)


def _send(stack: Stack, side: Side, users: int, gap: tuple[float, float] | None) -> dict[str, Any]:
    options = ["--count", str(users), "--seed", str(next(_seeds))]
    if gap:
        options += ["--gap", str(gap[0]), str(gap[1]), "--connections", str(users)]
    return run_load(stack, "storm", side.api.port, *options)


def _settled(stack: Stack, side: Side, before: State, users: int, within: float = 600.0) -> State:
    """The state once nothing is open any more and every effect is there."""
    effects = before.effects + users * EFFECTS_PER_JOINER
    deliveries = before.deliveries + users * HOOKS_PER_JOINER
    until = time.monotonic() + within
    while time.monotonic() < until:
        state = _state(stack, side)
        if state.unsettled == 0 and state.effects >= effects and state.deliveries >= deliveries:
            if state.effects > effects:
                raise BenchError(f"{side.name}: {state.effects - effects} effects too many")
            return state
        time.sleep(0.2)
    raise BenchError(f"{side.name}: not settled after {within:.0f} s: {_state(stack, side)}")


def _state(stack: Stack, side: Side) -> State:
    unsettled, effects, last_at, deliveries = (
        stack.postgres.sql(side.state_query, side.api.database.name).strip().split("|")
    )
    return State(int(unsettled), int(effects), float(last_at or 0), int(deliveries))


async def _actions(stack: Stack, workflow_type: str, began: datetime) -> int:
    """Starts, signals, activities and timers of all runs that began since then, from their histories."""
    client = await Client.connect(stack.temporal.address, namespace=stack.temporal.namespace)
    query = f"WorkflowType = '{workflow_type}' AND StartTime >= '{began.isoformat()}'"
    actions = 0
    async for run in client.list_workflows(query):
        history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        actions += sum(1 for event in history.events if event.event_type in _ACTIONS)
    if actions == 0:
        raise BenchError(f"no {workflow_type} was found in Temporal")
    return actions


class _Probe:
    """Times answers of one slow connection: first idle, then through the storm."""

    def __init__(self, stack: Stack, port: int) -> None:
        options = ["--connections", "1", "--pause", str(PROBE_PAUSE), "--samples", "--count", "6000"]
        self._process = subprocess.Popen(
            stack.load_command("validateUser", port, *options, "--seed", str(next(_seeds))),
            env=stack.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        time.sleep(IDLE_SECONDS + 1.0)

    def ratio(self, first_at: float, answered_at: float, settled_at: float) -> float:
        """Median answer while the storm drains, over the median before it began."""
        self._process.send_signal(signal.SIGTERM)
        output, _ = self._process.communicate(timeout=20)
        samples: list[tuple[float, float]] = json.loads(output)["samples"]
        draining = _between(samples, answered_at, settled_at)
        if len(draining) < 20:
            draining = _between(samples, first_at, settled_at)
        return median(draining) / median(_between(samples, 0.0, first_at))


def _between(samples: list[tuple[float, float]], start: float, end: float) -> list[float]:
    return [ms for at, ms in samples if start < at <= end]
