"""Sends one hook, judges its answer, counts and records it."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from dev.simulate.bearer import Mint
from dev.simulate.contract import UNAVAILABLE, Flaw, refusal
from dev.simulate.options import Options
from dev.simulate.record import Kind, Recorder, Sent
from dev.simulate.report import Tally
from dev.simulate.wire import Answer, NoAnswerError, Wire

_BREATH = 0.5
"""Seconds a story rests after silence: a receiver that restarts must not cost a whole run in a blink."""

_GIVE_UP = 20


@dataclass(frozen=True, slots=True)
class Letter:
    """One hook ready to be sent, with the judge of its answer."""

    kind: Kind
    hook: str
    path: str
    body: bytes
    judge: Callable[[Answer], Flaw | None]
    headers: dict[str, str]
    digest: str | None
    story: str | None = None
    user: str | None = None
    application: str | None = None
    silence_allowed: bool = False
    """RFC 9110 §15.5.14 lets a server hang up on a body that is too large."""


class Courier:
    """Takes letters to the receiver. `halted` says why no more should be brought, once that is so."""

    def __init__(self, options: Options, tally: Tally, recorder: Recorder, wire: Wire) -> None:
        self._options, self._tally, self._recorder, self._wire = options, tally, recorder, wire
        self._mint = Mint(options.secret, options.tenant, options.token_life)
        self._sequences: Counter[str | None] = Counter()
        self._run, self._number, self._refused = uuid4().hex[:8], 0, 0
        self.halted: str | None = None

    def headers(self) -> dict[str, str]:
        """What the platform sends with a hook: a bearer token and the media type, no id (CONTRACT B1)."""
        return {"Authorization": f"Bearer {self._mint.token()}", "Content-Type": "application/json"}

    async def bring(self, letter: Letter) -> Answer | None:
        """Sends the letter once. None: no answer, or a 503 while the run keeps trying."""
        self._number += 1
        self._sequences[letter.user] += 1
        slip: dict[str, Any] = {
            "id": f"{self._run}-{self._number}",
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "kind": letter.kind,
            "story": letter.story,
            "user": letter.user,
            "sequence": self._sequences[letter.user],
            "hook": letter.hook,
            "application": letter.application,
            "body_sha256": letter.digest,
        }
        try:
            answer = await self._wire.post(letter.path, letter.body, letter.headers)
        except NoAnswerError as silence:
            await self._silent(letter, slip, silence)
            return None
        self._refused = 0
        if answer.status == 503 and self._options.keep_trying:
            self._tally.silent(letter.hook, "status 503")
            self._write(slip, answer, answered=False, kept=None)
            await asyncio.sleep(_BREATH)
            return None
        self._tally.answered(letter.hook, answer.status, answer.seconds)
        flaw = self._judge(letter, answer)
        if flaw is not None:
            self._breach(letter.hook, flaw, slip["id"])
        self._write(slip, answer, answered=True, kept=flaw is None)
        return answer

    def breach(self, hook: str, flaw: Flaw) -> None:
        """Notes a breach that no single answer shows."""
        self._breach(hook, flaw, f"{self._run}-{self._number}")

    def _judge(self, letter: Letter, answer: Answer) -> Flaw | None:
        if self._options.keep_trying and letter.kind != "bad body" and refusal(answer) == UNAVAILABLE:
            self._tally.unavailable += 1
            return None
        limit = self._options.deadline
        if limit and answer.seconds > limit and not self._options.keep_trying:
            return Flaw(f"an answer within {limit:g} s", "a later one")
        return letter.judge(answer)

    async def _silent(self, letter: Letter, slip: dict[str, Any], silence: NoAnswerError) -> None:
        self._tally.silent(letter.hook, str(silence))
        self._write(slip, None, answered=False, kept=None)
        if self._options.keep_trying:
            await asyncio.sleep(_BREATH)
            return
        if not letter.silence_allowed:
            self._breach(letter.hook, Flaw("an answer", str(silence)), slip["id"])
        self._refused = self._refused + 1 if silence.refused else 0
        if self._refused >= _GIVE_UP:
            self.halted = (
                f"{_GIVE_UP} hooks in a row found no receiver at {self._options.url} any more: "
                "is it still running? To go on while it is down, use --keep-trying"
            )

    def _breach(self, hook: str, flaw: Flaw, hook_id: str) -> None:
        self._tally.breach(hook, flaw.expected, flaw.got, hook_id)

    def _write(
        self, slip: dict[str, Any], answer: Answer | None, *, answered: bool, kept: bool | None
    ) -> None:
        status, took = (answer.status, round(answer.seconds * 1000, 3)) if answer else (None, None)
        self._recorder.write(Sent(**slip, status=status, answered=answered, kept=kept, milliseconds=took))
