"""A right receiver passes; one that is wrong in any one way does not."""

import json
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dev.simulate import CannotPlayError, Options, Report, simulate
from dev.simulate.options import STORIES
from dev.simulate.people import person
from dev.simulate.stories import tell
from tests.dev.simulate.receiver import SECRET, Heard, Mutant, Receiver, Reply, only, serving, with_user

SEED = 53
"""Among its first two people are a composed and a decomposed name, and attributes as a map."""


Change = Callable[[Reply], Reply]


async def run(receiver: Receiver, **changes: Any) -> Report:
    with serving(receiver) as url:
        usual = Options(url=url, secret=SECRET.encode(), seed=SEED, users=4)
        return await simulate(replace(usual, **changes))


async def test_a_right_receiver_passes_with_everything_switched_on(tmp_path: Path) -> None:
    receiver = Receiver()
    record = tmp_path / "record.jsonl"
    report = await run(receiver, duplicates=0.2, reorder=0.5, bad_bodies=0.3, record=record, users=8)
    assert report.breaches == ()
    assert report.unanswered_why.keys() <= {"connection reset"}  # a body that is too large may be hung up on
    assert min(report.duplicates, report.reorderings, report.bad_bodies) > 10
    sent = [json.loads(line) for line in record.read_text().splitlines()]
    assert len(sent) == report.hooks
    assert len({line["id"] for line in sent}) == report.hooks
    taken = Counter((hook, login) for hook, login, _ in receiver.heard)
    ours = Counter((line["hook"].lower(), line["user"]) for line in sent if line["kind"] != "bad body")
    assert taken == ours
    for user in {line["user"] for line in sent}:
        sequence = sorted(line["sequence"] for line in sent if line["user"] == user)
        assert sequence == list(range(1, len(sequence) + 1))
    text = record.read_text()
    assert not any(person(SEED, n).password in text for n in range(8))
    assert any(person(SEED, 0).password.encode() in raw for _, _, raw in receiver.heard)


async def test_the_story_is_told_in_order_and_whole() -> None:
    receiver = Receiver()
    await run(receiver, users=2, concurrency=2)
    for number in range(2):
        steps = tell(SEED, person(SEED, number), STORIES)
        logins = {step.login for step in steps}
        told = [(hook, login) for hook, login, _ in receiver.heard if login in logins]
        assert told == [(step.hook.lower(), step.login) for step in steps]
        assert len(steps) > 60


async def test_duplicates_are_the_same_bytes_right_after() -> None:
    receiver = Receiver()
    report = await run(receiver, users=1, concurrency=1, duplicates=1.0, stories=("mover",))
    raws = [raw for hook, _, raw in receiver.heard if hook != "test"]
    assert report.duplicates == 4
    assert raws[::2] == raws[1::2]


async def test_reordering_swaps_neighbouring_events_only() -> None:
    receiver = Receiver()
    await run(receiver, users=3, concurrency=1, reorder=1.0, stories=("leaver",))
    steps = [step.hook.lower() for n in range(3) for step in tell(SEED, person(SEED, n), ("leaver",))]
    told = [hook for hook, _, _ in receiver.heard if hook != "test"]
    assert told != steps
    assert Counter(told) == Counter(steps)
    still = {"validateupdateuser", "preupdateuser", "rundeprovision"}
    assert [h for h in told if h in still] == [h for h in steps if h in still]


def _echo(heard: Heard) -> Reply:
    if heard.right.status != 400:
        return heard.right
    return replace(heard.right, body={"status": 400, "input": heard.raw.decode("utf-8", "replace")})


def _bad(**changes: Any) -> Mutant:
    return lambda heard: (
        replace(heard.right, **changes) if heard.right.status in {400, 413, 415} else heard.right
    )


def _refusals(**changes: Any) -> Mutant:
    def change(reply: Reply) -> Reply:
        return replace(reply, **changes) if "error" in reply.body["response"] else reply

    return only("validateuser", change)


def _without(key: str) -> Change:
    return with_user(lambda user: {name: value for name, value in user.items() if name != key})


def _typed(user: dict[str, Any]) -> dict[str, Any]:
    attributes: Any = user["attributes"]
    return (
        user | {"attributes": attributes | {"wide": 9_007_199_254_740_992}} if "wide" in attributes else user
    )


def _composed(user: dict[str, Any]) -> dict[str, Any]:
    return user | {"firstName": unicodedata.normalize("NFKC", user["firstName"].replace("é", "e\u0301"))}


def _body(body: Any) -> Change:
    def change(reply: Reply) -> Reply:
        return replace(reply, body=body)

    return change


def _status(status: int) -> Mutant:
    def change(heard: Heard) -> Reply:
        return replace(heard.right, status=status)

    return change


MUTANTS: dict[str, Mutant] = {
    "validate drops a key": only("validateuser", _without("employeeId")),
    "validate drops a null": only("validateuser", _without("endDate")),
    "pre hook adds a key": only("precreateuser", with_user(lambda user: user | {"id": "1"})),
    "pre hook rounds a wide number": only("preupdateuser", with_user(_typed)),
    "pre hook turns a version into text": only("preupdateuser", with_user(lambda u: u | {"version": "1"})),
    "update validate composes names": only("validateupdateuser", with_user(_composed)),
    "user is not under data": only("preupdateuser", lambda r: replace(r, body=r.body["response"])),
    "validate refuses": only(
        "validateupdateuser", _body({"response": {"error": True, "message": "EmailAlreadyExist"}})
    ),
    "mapped value is a number": only("policymap", _body({"response": {"mappedValue": 1}})),
    "mapped value is null": only("policymap", _body({"response": {"mappedValue": None}})),
    "deprovision says text": only("rundeprovision", _body({"response": {"data": "true"}})),
    "deprovision says 1": only("rundeprovision", _body({"response": {"data": 1}})),
    "event answers data": only("postprovision", _body({"response": {"data": {}}})),
    "event answers nothing": only("changepassword", lambda r: replace(r, status=204, raw=b"")),
    "event accepted": only("postcreateuser", lambda r: replace(r, status=202)),
    "test answers null": only("test", _body({"response": None})),
    "redirects": only("postupdateuser", lambda r: replace(r, status=307, headers={"location": "/x"})),
    "fails": only("preprovision", lambda r: replace(r, status=500)),
    "unavailable": only("preprovision", lambda r: replace(r, status=503)),
    "answers text": only("preprovision", lambda r: replace(r, media_type="text/plain")),
    "answers a key twice": only("test", lambda r: replace(r, raw=b'{"response":{},"response":{}}')),
    "answers broken JSON": only("test", lambda r: replace(r, raw=b'{"response":{}')),
    "echoes the bad body": _echo,
    "bad body passes": _bad(status=200),
    "bad body is our fault": _bad(status=500),
    "bad body is not found": _bad(status=404),
    "problem is plain JSON": _bad(media_type="application/json"),
    "problem is text": _bad(raw=b"bad"),
    "problem names another status": _bad(body={"status": 499}),
    "refusal is a conflict": _refusals(status=409),
    "refusal in capitals": _refusals(body={"response": {"error": True, "message": "MOBILEALREADYEXIST"}}),
    "refusal says yes": _refusals(body={"response": {"error": "true", "message": "MobileAlreadyExist"}}),
    "refusal is wordy": _refusals(
        body={"response": {"error": True, "message": "MobileAlreadyExist", "x": 1}}
    ),
    "refusal is another's": _refusals(body={"response": {"error": True, "message": "EmailAlreadyExist"}}),
}


@pytest.mark.parametrize("name", MUTANTS)
async def test_a_mutant_is_found(name: str) -> None:
    report = await run(
        Receiver(MUTANTS[name]), bad_bodies=0.5, users=2, stories=("joiner", "mover", "leaver")
    )
    assert not report.clean
    shown = json.dumps([(breach.expected, breach.got) for breach in report.breaches])
    assert "sentinel" not in shown
    assert "example.com" not in shown
    assert f".s{SEED}" not in shown


@pytest.mark.parametrize(
    "receiver",
    [Receiver(unique=("login", "email")), Receiver(digits=False)],
    ids=["mobile not unique", "spellings not one number"],
)
async def test_letting_both_rivals_through_is_found(receiver: Receiver) -> None:
    report = await run(receiver)
    assert [breach.got for breach in report.breaches] == ["both passed"]


async def test_refusing_both_rivals_is_found() -> None:
    def refuse(heard: Heard) -> Reply:
        if b'"rival' not in heard.raw:
            return heard.right
        return Reply(200, {"response": {"error": True, "message": "MobileAlreadyExist"}})

    report = await run(Receiver(refuse))
    assert [breach.got for breach in report.breaches] == ["both refused"]


async def test_in_shadow_both_rivals_pass() -> None:
    assert (await run(Receiver(unique=("login", "email")), shadow=True)).clean
    report = await run(Receiver(), shadow=True)
    assert [(breach.expected, breach.got) for breach in report.breaches] == [
        ("no rival refused in shadow", "one refused")
    ]


async def test_a_late_answer_is_found() -> None:
    receiver = Receiver()
    receiver.delay["rundeprovision"] = 0.15
    late = await run(receiver, users=1, stories=("leaver",), deadline=0.1)
    assert [breach.expected for breach in late.breaches] == ["an answer within 0.1 s"]
    assert (await run(receiver, users=1, stories=("leaver",), deadline=0)).clean


async def test_silence_is_found() -> None:
    receiver = Receiver()
    receiver.delay["rundeprovision"] = 0.3
    report = await run(receiver, users=1, stories=("leaver",), timeout=0.1)
    assert report.unanswered == 1
    assert [breach.got for breach in report.breaches] == ["no answer within 0.1 s"]


@pytest.mark.parametrize("shape", ["data+error", "echo"])
async def test_other_answer_shapes_pass_when_they_are_configured(shape: str) -> None:
    def reshape(heard: Heard) -> Reply:
        if not heard.hook.startswith("validate") or "data" not in heard.right.body.get("response", {}):
            return heard.right
        wrapped = {"response": {"error": False} | heard.right.body["response"]}
        return replace(heard.right, body=wrapped if shape == "data+error" else json.loads(heard.raw))

    assert (await run(Receiver(reshape), answer_shape=shape)).clean
    assert not (await run(Receiver(reshape))).clean


async def test_a_spent_seed_is_explained() -> None:
    receiver = Receiver()
    await run(receiver)
    receiver.forget_nothing()
    with pytest.raises(
        CannotPlayError, match="seed 53 already used against this store: choose another --seed"
    ):
        await run(receiver)
    assert (await run(receiver, seed=SEED + 1)).clean


async def test_a_receiver_that_refuses_everybody_is_no_spent_seed() -> None:
    everybody = only("validateuser", _body({"response": {"error": True, "message": "LoginAlreadyExist"}}))
    report = await run(Receiver(everybody))
    assert report.breach_count == 4 * 2 + 3
    assert report.hint == "If seed 53 was already used against this store, choose another --seed."


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (_status(401), "refuses our token"),
        (_status(404), "does --url end in the receiver's prefix"),
    ],
)
async def test_save_and_test_says_what_is_wrong(mutant: Mutant, says: str) -> None:
    with pytest.raises(CannotPlayError, match=says):
        await run(Receiver(mutant))


async def test_nobody_there_is_said() -> None:
    with pytest.raises(CannotPlayError, match=r"no receiver at .* refused"):
        await run(Receiver(), url="http://127.0.0.1:9/webhook")
