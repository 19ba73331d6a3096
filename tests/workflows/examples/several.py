"""Activities that succeed, fail, wait, hold and batch, as their login tells them to."""

import asyncio
from collections import Counter

from activities import Event, Hook, Outcome, Refused, Tools, Unavailable, activity, days, hours, seconds

runs: Counter[str] = Counter()
"""How often each activity was called for each delivery, in this process."""
order: list[tuple[str, str, int]] = []
"""Calls as they happened: activity, subject, seq."""
EMAIL_IN_ERROR = "private.person@example.com"


def _note(name: str, event: Event) -> int:
    runs[f"{name}:{event.delivery}"] += 1
    order.append((name, event.subject, event.seq))
    return runs[f"{name}:{event.delivery}"]


@activity(on=Hook.POST_PROVISION)
async def badge(event: Event, tools: Tools) -> Outcome:
    """Succeeds."""
    _note("badge", event)
    return Outcome()


@activity(on=Hook.POST_PROVISION, after="badge")
async def door(event: Event, tools: Tools) -> None:
    """Comes after badge."""
    _note("door", event)


@activity(on=Hook.POST_PROVISION, first_wait=seconds(0.05))
async def flaky(event: Event, tools: Tools) -> None:
    """Fails twice with a private text, then succeeds."""
    if _note("flaky", event) < 3:
        raise RuntimeError(f"no answer for {EMAIL_IN_ERROR}")


@activity(on=Hook.POST_PROVISION)
async def refused(event: Event, tools: Tools) -> None:
    """Is refused for good."""
    _note("refused", event)
    raise Refused(f"the mailbox of {EMAIL_IN_ERROR} is gone")


@activity(on=Hook.POST_PROVISION, on_failure="hold")
async def held(event: Event, tools: Tools) -> None:
    """Is refused on its first call ever for a person, and holds its lane."""
    if _note("held", event) == 1 and event.seq == 1:
        raise Refused("not yet")


@activity(on=Hook.POST_PROVISION, give_up=hours(24), first_wait=seconds(60), longest_wait=hours(6))
async def hopeless(event: Event, tools: Tools) -> None:
    """Never succeeds."""
    _note("hopeless", event)
    raise Unavailable("down")


@activity(on=Hook.POST_PROVISION, give_up=hours(24), first_wait=seconds(0.05), longest_wait=seconds(0.2))
async def poisoned(event: Event, tools: Tools) -> None:
    """Never succeeds for who is called so; for others at once."""
    _note("poisoned", event)
    if str(event.user["login"]).startswith("poisoned"):
        raise Unavailable("down")


@activity(on=Hook.POST_PROVISION)
async def patient(event: Event, tools: Tools) -> None:
    """Asks to be called again in an hour, the first time."""
    if _note("patient", event) == 1:
        raise Unavailable("later", retry_after=3600)


@activity(on=Hook.POST_PROVISION, timeout=seconds(3))
async def slow(event: Event, tools: Tools) -> None:
    """Takes its time."""
    _note("slow", event)
    await asyncio.sleep(1)


@activity(on=Hook.POST_PROVISION, timeout=seconds(2), give_up=seconds(1))
async def stuck(event: Event, tools: Tools) -> None:
    """Never returns in time."""
    _note("stuck", event)
    await asyncio.sleep(60)


@activity(on=Hook.POST_PROVISION, batch=5)
async def batched(events: list[Event], tools: Tools) -> Outcome:
    """Gets several at once; refuses a batch that has a delivery of the application `bad`."""
    runs["batched calls"] += 1
    for event in events:
        _note("batched", event)
    if any(e.application == "bad" for e in events):
        raise Refused("a bad one")
    return Outcome("done", {"with": len(events)})


@activity(on=Hook.POST_PROVISION, delay=days(30), cancel_on=[Hook.POST_UPDATE_USER])
async def reminder(event: Event, tools: Tools) -> None:
    """Comes a month later, unless the person changed."""
    _note("reminder", event)


@activity(on=Hook.POST_PROVISION)
async def counted(event: Event, tools: Tools) -> None:
    """Writes a row together with its outcome."""
    _note("counted", event)
    tools.db.write(
        "INSERT INTO refusals (tenant, slot, at, hook, status, reason, words, receipt) "
        "VALUES (:t, :s, now(), 'x', 0, 'effect', '', CAST(CAST(:d AS text) AS uuid))",
        t=event.delivery,
        s=runs[f"counted:{event.delivery}"],
        d=event.delivery,
    )
