"""A receiver that goes away and comes back: nothing is resent, everything is on record."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from dev.processes import free_port
from dev.simulate import CannotPlayError, Options, Standing, simulate
from dev.simulate.people import person
from dev.simulate.stories import tell
from tests.dev.simulate.receiver import SECRET, Heard, Receiver, Reply, serving


def options(port: int, **changes: Any) -> Options:
    return Options(
        url=f"http://127.0.0.1:{port}/webhook",
        secret=SECRET.encode(),
        seed=11,
        users=4,
        concurrency=4,
        **changes,
    )


async def test_what_was_lost_is_recorded_and_never_resent(tmp_path: Path) -> None:
    port, record, receiver = free_port(), tmp_path / "record.jsonl", Receiver()
    up = asyncio.Event()

    def watch(standing: Standing) -> None:
        if standing.hooks > 40:
            up.set()

    server = serving(receiver, port)
    server.__enter__()
    told = asyncio.create_task(simulate(options(port, keep_trying=True, tempo=0.01, record=record), watch))
    await up.wait()
    await asyncio.to_thread(server.__exit__, None, None, None)
    await asyncio.sleep(0.2)
    with serving(receiver, port):
        report = await told
    assert report.clean
    assert report.unanswered > 0
    sent = [json.loads(line) for line in record.read_text().splitlines()]
    story = [
        line
        for line in sent
        if line["kind"] == "story" and ".s11" in line["user"] and "rival" not in line["user"]
    ]
    due = [
        step for n in range(4) for step in tell(11, person(11, n), ("joiner", "mover", "leaver", "rehire"))
    ]
    assert len(story) == len(due)
    answered = [line for line in sent if line["answered"]]
    assert len(answered) == report.answered
    assert len(receiver.heard) - len(answered) in range(report.unanswered + 1)


async def test_a_503_and_an_unavailable_validate_are_no_breach() -> None:
    def away(heard: Heard) -> Reply:
        if heard.hook == "postupdateuser":
            return Reply(503, {"status": 503}, "application/problem+json")
        if heard.hook == "validateupdateuser":
            return Reply(200, {"response": {"error": True, "message": "ValidationUnavailable"}})
        return heard.right

    with serving(Receiver(away)) as url:
        port = int(url.rpartition(":")[2].partition("/")[0])
        patient = await simulate(options(port, keep_trying=True, stories=("mover",)))
        strict = await simulate(options(port, stories=("mover",)))
    assert patient.clean
    assert (patient.unanswered, patient.unavailable) == (4, 4)
    assert patient.unanswered_why == {"status 503": 4}
    assert strict.breach_count == 8


async def test_without_it_a_receiver_that_went_away_ends_the_run() -> None:
    port, receiver = free_port(), Receiver()
    gone = asyncio.Event()
    server = serving(receiver, port)
    server.__enter__()
    told = asyncio.create_task(simulate(options(port, tempo=0.01), lambda _: gone.set()))
    await gone.wait()
    await asyncio.to_thread(server.__exit__, None, None, None)
    with pytest.raises(CannotPlayError, match="is it still running"):
        await told
