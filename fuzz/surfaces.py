"""Random calls of everything that an OpenAPI document of ours describes, as it wants them and as it does not."""

import itertools
import logging
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis import openapi

from fuzz.enough import spread
from leakscan.sentinels import Sentinels
from leakscan.stack import TENANTS, ScanError, Stack, stack
from leakscan.story import Teller, Told

Case = schemathesis.Case[Any]
_PEOPLE = 3
"""Whose lives are told first, so that there is something to be asked about."""
_HURRIED = """
[query]
rate = 1000
burst = 1000
"""
"""Else most answers would be 429."""
_TIME_OUT = 60.0
_LIFE = 6 * 3600
"""Seconds that the platform's tokens live: longer than all calls take."""


@dataclass
class Called:
    """What a surface was asked, and what it said."""

    cases: int = 0
    statuses: dict[int, int] = field(default_factory=dict[int, int])
    wrong: list[str] = field(default_factory=list[str])
    """Calls that were answered 500 or more, or not at all: method, path and status."""

    def note(self, case: Case, status: int) -> None:
        """Counts an answer; 0 is none."""
        self.cases += 1
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status >= 500 or not status:
            self.wrong.append(f"{case.method} {case.path}: {status or 'no answer'}: {_shown(case)}")


@dataclass(frozen=True)
class Surface:
    """One document, and who calls: their bearers are taken in turn."""

    name: str
    base: str
    document: str
    bearers: Callable[[], str]


def call_all(cases: int, seed: int, progress: Callable[[int], None]) -> dict[str, Called]:
    """Makes at least so many calls, an equal share of each operation: fewer if there are no more that differ.

    Raises ScanError if a process does not start, or ends.
    """
    sentinels = Sentinels()
    with stack(sentinels, _HURRIED) as running:
        running.start_all()
        surfaces = list(_surfaces(running, sentinels))
        # Each operation is called as its document says, and as it says not to.
        parts = [
            (surface, operation, mode)
            for surface in surfaces
            for operation in _operations(surface)
            for mode in schemathesis.GenerationMode
        ]
        called = {surface.name: Called() for surface in surfaces}
        seeds = itertools.count(seed)
        with requests.Session() as session, _quiet():
            session.trust_env = False

            def call(part: tuple[Surface, Any, schemathesis.GenerationMode], times: int) -> int:
                surface, operation, mode = part
                noted = called[surface.name]
                before = noted.cases
                _call(surface, operation, mode, times, next(seeds), session, noted)
                progress(noted.cases - before)
                return noted.cases - before

            spread(cases, parts, call)
        _check(running)
        return called


def _check(running: Stack) -> None:
    """Raises ScanError if a process ended under it."""
    for name, process in running.running.items():
        if process.poll() is not None:
            raise ScanError(f"{name} ended with {process.returncode}")


def _surfaces(running: Stack, sentinels: Sentinels) -> Iterator[Surface]:
    teller = Teller(running, Told(sentinels))
    for _ in range(_PEOPLE):
        teller.life()
    until = int(time.time()) + _LIFE
    tokens = [teller.token(tenant, exp=until) for tenant in TENANTS]
    keys = [
        running.key("admin", None),
        running.key("operator", TENANTS[0]),
        running.key("auditor", TENANTS[1]),
    ]
    teller.close()
    yield Surface("hooks", f"http://127.0.0.1:{running.api_port}", "/openapi.json", _in_turn(tokens))
    yield Surface("ledger", f"http://127.0.0.1:{running.query_port}", "/ledger/openapi.json", _in_turn(keys))


def _in_turn(bearers: list[str]) -> Callable[[], str]:
    return itertools.cycle(bearers).__next__


def _operations(surface: Surface) -> list[Any]:
    """All that the document describes."""
    headers = {"Authorization": f"Bearer {surface.bearers()}"}
    schema: Any = openapi.from_url(surface.base + surface.document, headers=headers)
    return [found.ok() for found in schema.get_all_operations()]


def _call(
    surface: Surface,
    operation: Any,
    mode: schemathesis.GenerationMode,
    times: int,
    seed: int,
    session: requests.Session,
    called: Called,
) -> None:
    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=times,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def once(case: Case) -> None:
        headers = {"Authorization": f"Bearer {surface.bearers()}"}
        try:
            answer = case.call(base_url=surface.base, session=session, headers=headers, timeout=_TIME_OUT)
        except requests.RequestException:
            called.note(case, 0)
        else:
            called.note(case, answer.status_code)

    once()


def _shown(case: Case) -> str:
    return f"query {case.query!r:.200} body {case.body!r:.400}"


@contextmanager
def _quiet() -> Generator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("urllib3").setLevel(logging.CRITICAL)
        yield
