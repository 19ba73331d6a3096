"""Plays the platform: tells the stories of many users to one receiver."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random

from dev.simulate.bad_bodies import spoil
from dev.simulate.contract import Flaw, check, check_problem, refusal
from dev.simulate.delivery import Courier, Letter
from dev.simulate.options import Options
from dev.simulate.people import person, rivals, stranger
from dev.simulate.record import Kind, encode, hash_without_password
from dev.simulate.report import Standing, Tally
from dev.simulate.stories import EVENTS, Step, create, tell, validate
from dev.simulate.wire import Answer

_MOBILE_TAKEN = "MobileAlreadyExist"
_GLANCE = 0.1


class CannotPlayError(Exception):
    """There is nobody to play to, or not with this seed or secret; the text says what to do."""


class Platform:
    """One run's platform. `progress` is called at most ten times a second."""

    def __init__(
        self,
        options: Options,
        tally: Tally,
        courier: Courier,
        progress: Callable[[Standing], None],
    ) -> None:
        self._options, self._tally, self._courier, self._progress = options, tally, courier, progress
        self._glanced = 0.0

    async def play(self) -> None:
        """Save & test, then everybody's stories. Raises CannotPlayError."""
        await self._save_and_test()
        lives = self._lives()
        first = next(lives)
        if first[0].hook == "validateUser":
            await self._open(first[0])
            first = first[1:]
        async with asyncio.TaskGroup() as group:
            if "joiner" in self._options.stories:
                group.create_task(self._rivalry())
            queue = _chain(first, lives)
            for _ in range(min(self._options.concurrency, self._options.users)):
                group.create_task(self._tell_lives(queue))
        if self._courier.halted:
            raise CannotPlayError(self._courier.halted)
        self._progress(self._tally.standing())

    def _lives(self) -> Iterator[list[Step]]:
        seed = self._options.seed
        return (tell(seed, person(seed, n), self._options.stories) for n in range(self._options.users))

    async def _save_and_test(self) -> None:
        """The button of the platform's webhook screen: `{}` to /test (CONTRACT B1)."""
        headers = self._courier.headers()
        letter = Letter("probe", "test", "test", b"{}", lambda a: check("test", {}, a), headers, None)
        answer = await self._courier.bring(letter)
        where = self._options.url
        if answer is None:
            reason = next(iter(self._tally.report(0, 0).unanswered_why), "no answer")
            raise CannotPlayError(
                f"no receiver at {where} ({reason}): start one with `make dev`, or give --url"
            )
        if answer.status in {401, 403}:
            raise CannotPlayError(
                f"the receiver at {where} refuses our token (status {answer.status}): give the secret "
                f"that it has for tenant {self._options.tenant} "
                "(--secret-file or --secret-env, --secret-encoding, --tenant)"
            )
        if answer.status == 404:
            raise CannotPlayError(
                f"nothing at {where}/test (status 404): does --url end in the receiver's prefix?"
            )

    async def _open(self, step: Step) -> None:
        """Sends the run's first hook alone: it shows whether the seed is spent."""
        answer = await self._send(step, "story")
        if answer is None or not (refusal(answer) or "").endswith("AlreadyExist"):
            return
        fresh = validate(stranger(secrets.randbelow(200_000), secrets.token_hex(4)))
        second = await self._send(fresh, "stranger")
        if second is not None and second.status == 200 and refusal(second) is None:
            raise CannotPlayError(
                f"seed {self._options.seed} already used against this store: choose another --seed"
            )

    async def _rivalry(self) -> None:
        """Two people ask for one mobile at once: one is let through and created, one is refused, or in shadow neither."""
        asked = [validate(rival) for rival in rivals(self._options.seed)]
        answers = await asyncio.gather(*(self._send(step, "rival") for step in asked))
        codes = [refusal(answer) if answer is not None and answer.status == 200 else "" for answer in answers]
        refused, passed = codes.count(_MOBILE_TAKEN), codes.count(None)
        due = 0 if self._options.shadow else 1
        if refused + passed == 2 and refused != due:
            got = ("both passed", "one refused", "both refused")[refused]
            wanted = f"one of two rivals for one mobile refused as {_MOBILE_TAKEN}"
            flaw = Flaw(wanted if due else "no rival refused in shadow", got)
            self._courier.breach("validateUser", flaw)
        if passed == 1:
            winner = rivals(self._options.seed)[codes.index(None)]
            for step in create(winner):
                await self._send(step, "story")

    async def _tell_lives(self, queue: Iterator[list[Step]]) -> None:
        for steps in queue:
            if steps:
                await self._tell(steps)
            if self._courier.halted:
                return
            self._tally.done += 1

    async def _tell(self, steps: Sequence[Step]) -> None:
        chance = Random(f"{self._options.seed}:{steps[0].number}:chance")
        for together in self._in_order(steps, chance):
            if self._courier.halted:
                return
            await asyncio.gather(*(self._bring(step, chance) for step in together))
            await self._pause(chance)

    def _in_order(self, steps: Sequence[Step], chance: Random) -> Iterable[Sequence[Step]]:
        """The steps one by one, but now and then two neighbouring events swapped, or both at once."""
        at = 0
        while at < len(steps):
            pair = steps[at : at + 2]
            if (
                all(step.hook in EVENTS for step in pair)
                and len(pair) == 2
                and self._falls(chance, "reorder")
            ):
                self._tally.reorderings += 1
                yield from [pair] if chance.random() < 0.5 else [[pair[1]], [pair[0]]]
                at += 2
            else:
                yield [steps[at]]
                at += 1

    async def _bring(self, step: Step, chance: Random) -> None:
        if self._falls(chance, "bad_bodies"):
            await self._send_bad(step, chance)
        twice = self._falls(chance, "duplicates")
        body, headers = encode(step.request), self._courier.headers()
        await self._send(step, "story", body, headers)
        if twice:
            self._tally.duplicates += 1
            await self._send(step, "duplicate", body, headers)
        self._glance()

    async def _send(
        self, step: Step, kind: Kind, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer | None:
        def judge(answer: Answer) -> Flaw | None:
            if kind == "rival" and refusal(answer) == _MOBILE_TAKEN:
                return None
            return check(step.hook, step.request, answer, self._options.answer_shape)

        return await self._courier.bring(
            Letter(
                kind,
                step.hook,
                step.path,
                encode(step.request) if body is None else body,
                judge,
                headers or self._courier.headers(),
                hash_without_password(step.request) if self._options.record else None,
                step.story,
                step.login,
                step.application,
            )
        )

    async def _send_bad(self, step: Step, chance: Random) -> None:
        bad = spoil(chance, step.request)
        self._tally.bad_bodies += 1

        def judge(answer: Answer) -> Flaw | None:
            flaw = check_problem(answer, bad.sentinel)
            return Flaw(f"{flaw.expected} ({bad.kind})", flaw.got) if flaw else None

        headers = self._courier.headers() | bad.headers
        await self._courier.bring(
            Letter(
                "bad body",
                step.hook,
                step.path,
                bad.body,
                judge,
                headers,
                None,
                step.story,
                step.login,
                step.application,
                silence_allowed=bad.kind == "too large",
            )
        )

    async def _pause(self, chance: Random) -> None:
        mean, most = self._options.tempo, self._options.tempo_max
        if most is not None:
            await asyncio.sleep(chance.uniform(mean, most))
        elif mean:
            await asyncio.sleep(min(chance.expovariate(1 / mean), 5 * mean))

    def _falls(self, chance: Random, rate: str) -> bool:
        given: float = getattr(self._options, rate)
        return chance.random() < given

    def _glance(self) -> None:
        now = time.monotonic()
        if now - self._glanced >= _GLANCE:
            self._glanced = now
            self._progress(self._tally.standing())


def _chain(first: list[Step], rest: Iterator[list[Step]]) -> Iterator[list[Step]]:
    yield first
    yield from rest
