"""The decorator: what it makes of a function, and which options it refuses, naming activity and way out."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from activities import Activity, Event, Hook, Outcome, Tools, activity, days, hours, minutes, seconds
from activities._tools import Db
from tests.activities.desk import an_event


def _named(name: str, **options: Any) -> Activity:
    """An activity of that name."""

    async def function(event: Event, tools: Tools) -> None:
        """Does nothing. Really."""

    function.__name__ = name
    given: dict[str, Any] = {"on": Hook.POST_PROVISION} | options
    return activity(**given)(function)


def _tools() -> Tools:
    async def no_reads(_: object) -> list[Any]:
        return []

    http: Any = None
    return Tools("k", 1, Db(no_reads), http, {}, lambda: None)


def test_defaults() -> None:
    made = _named("badge")
    assert (made.name, made.purpose, made.lane, made.hooks) == (
        "badge",
        "Does nothing. Really.",
        "badge",
        (Hook.POST_PROVISION,),
    )
    plan = made.plan
    assert (plan.timeout, plan.give_up, plan.batch, plan.hold, plan.after) == (30, 86_400, 1, False, None)
    assert (made.delay, made.confirmed, made.secret, made.settings_required) == (
        timedelta(0),
        None,
        False,
        False,
    )


def test_every_option_reaches_the_plan() -> None:
    made = _named(
        "badge",
        on=[Hook.PRE_PROVISION, Hook.PRE_CREATE_USER],
        timeout=minutes(2),
        heartbeat=seconds(10),
        give_up=hours(3),
        first_wait=seconds(2),
        longest_wait=minutes(5),
        batch=9,
        after="door",
        on_failure="hold",
        cancel_on=[Hook.POST_UPDATE_USER],
        confirmed=True,
        window=days(1),
        secret=True,
        needs_settings=True,
    )
    plan = made.plan
    assert (plan.timeout, plan.heartbeat, plan.give_up) == (120, 10, 10_800)
    assert (plan.first_wait, plan.longest_wait, plan.batch) == (2, 300, 9)
    assert (plan.after, plan.hold, plan.cancel_on) == ("door", True, ("postUpdateUser",))
    assert (made.confirmed, made.secret, made.settings_required) == (days(1), True, True)
    assert made.planned_on(Hook.PRE_CREATE_USER)
    assert not made.planned_on(Hook.POST_CREATE_USER)


def test_lanes() -> None:
    assert _named("badge").lane_for("hr") == "badge:hr"
    assert _named("badge").lane_for(None) == "badge"
    assert _named("badge", bookkeeping=True).lane_for("hr") == "bookkeeping"


def test_a_module_may_speak_for_its_function() -> None:
    @activity(on=Hook.TEST)
    async def silent(event: Event, tools: Tools) -> None:
        return None

    assert silent.purpose == (__doc__ or "").strip()


async def test_what_the_function_returns() -> None:
    @activity(on=Hook.TEST)
    async def word(event: Event, tools: Tools) -> Outcome:
        return Outcome("word", {"seq": event.seq})

    @activity(on=Hook.TEST, batch=3)
    async def several(events: list[Event], tools: Tools) -> Outcome:
        return Outcome("several", {"n": len(events)})

    assert await _named("nothing").call([an_event()], _tools()) == Outcome("done")
    assert await word.call([an_event()], _tools()) == Outcome("word", {"seq": 7})
    assert await several.call([an_event()], _tools()) == Outcome("several", {"n": 1})


_REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "capitals": (lambda: _named("Badge"), "activity Badge: a name is a-z, 0-9 and _"),
    "dash": (lambda: _named("ba-dge"), "activity ba-dge: a name is"),
    "digit first": (lambda: _named("1badge"), "activity 1badge: a name is"),
    "underscore first": (lambda: _named("_badge"), "activity _badge: a name is"),
    "not ascii": (lambda: _named("bädge"), "activity bädge: a name is"),
    "line end": (lambda: _named("badge\n"), "a name is a-z"),
    "too long": (lambda: _named("b" * 64), "at most 63"),
    "take": (lambda: _named("take"), "activity take: the name is taken by Hookledger itself"),
    "bookkeeping": (lambda: _named("bookkeeping"), "is taken by Hookledger itself"),
    "settle": (lambda: _named("settle"), "is taken by Hookledger itself"),
    "watch": (lambda: _named("watch"), "is taken by Hookledger itself"),
    "no hook": (lambda: _named("badge", on=[]), "activity badge: on=… names no hook"),
    "long without heartbeat": (
        lambda: _named("badge", timeout=seconds(31)),
        r"activity badge: a timeout over 30 s needs heartbeat=… and tools.heartbeat\(\) calls",
    ),
    "unknown on_failure": (
        lambda: _named("badge", on_failure="stop"),
        'activity badge: on_failure is "continue" or "hold"',
    ),
    "confirmed fact": (
        lambda: _named("badge", confirmed=True),
        "activity badge: confirmed=True is for intentions",
    ),
    "confirmed probe": (
        lambda: _named("badge", on=[Hook.PRE_PROVISION, Hook.TEST], confirmed=True),
        "confirmed=True is for intentions",
    ),
    "confirmed by nothing": (
        lambda: _named("badge", on=[Hook.PRE_PROVISION, Hook.RUN_DEPROVISION], confirmed=True),
        "confirmed=True is for intentions that a fact confirms: preCreateUser, preProvision, preUpdateUser, ",
    ),
    "secret for too long": (
        lambda: _named("badge", on=Hook.CHANGE_PASSWORD, secret=True, give_up=days(1), delay=days(1.5)),
        "activity badge: a secret is kept for 2 days; shorten give_up, delay or window",
    ),
    "secret for as long as the hook waits": (
        lambda: _named("badge", on=Hook.PRE_PROVISION, secret=True, confirmed=True),
        "a secret is kept for 2 days; shorten give_up, delay or window",
    ),
    "confirmed and delayed": (
        lambda: _named("badge", on=Hook.PRE_PROVISION, confirmed=True, delay=days(1)),
        "activity badge: confirmed=True runs when the fact comes; it takes no delay",
    ),
    "no batch": (lambda: _named("badge", batch=0), "activity badge: batch is at least 1"),
    "batched books": (
        lambda: _named("badge", bookkeeping=True, batch=3),
        "activity badge: bookkeeping=True shares a lane",
    ),
    "books with a secret": (
        lambda: _named("badge", bookkeeping=True, secret=True),
        "activity badge: bookkeeping=True writes to the store only",
    ),
    "holding books": (
        lambda: _named("badge", bookkeeping=True, on_failure="hold"),
        "activity badge: bookkeeping=True shares a lane",
    ),
    "no time": (lambda: _named("badge", timeout=seconds(0)), "activity badge: timeout, heartbeat, give_up"),
    "no wait": (lambda: _named("badge", first_wait=seconds(0)), "are longer than nothing"),
    "no heartbeat": (lambda: _named("badge", heartbeat=seconds(0)), "are longer than nothing"),
    "waits crossed": (
        lambda: _named("badge", first_wait=minutes(5)),
        "activity badge: longest_wait is shorter than first_wait; raise it",
    ),
    "syntax": (
        lambda: _named("badge", when="request.isSuccess &&"),
        "(?s)activity badge: when: condition 'request.isSuccess &&': .*1:",
    ),
    "unknown variable": (
        lambda: _named("badge", when='requst.isSuccess && user.login == "a"'),
        "(?s)activity badge: when: condition 'requst.*requst",
    ),
    "empty condition": (lambda: _named("badge", when=""), "activity badge: when: condition ''"),
}


@pytest.mark.parametrize("case", _REFUSED)
def test_options_that_cannot_work(case: str) -> None:
    make, words = _REFUSED[case]
    with pytest.raises(ValueError, match=words):
        make()


def test_what_just_works() -> None:
    _named("b" * 63)
    _named("badge", timeout=seconds(30))
    _named("badge", timeout=seconds(31), heartbeat=seconds(5))
    _named("badge", on=[Hook.PRE_PROVISION, Hook.VALIDATE_USER], confirmed=True)
    _named("badge", first_wait=seconds(100))
    _named("badge", on=Hook.CHANGE_PASSWORD, secret=True, give_up=days(1), delay=days(1))


def test_an_unknown_hook_is_named() -> None:
    with pytest.raises(AttributeError, match=r"no hook POST_PROVISIONS; there are .*POST_PROVISION"):
        _ = Hook.POST_PROVISIONS
