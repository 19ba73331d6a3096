"""What is answered without the store: an event once it is kept, a decision in any case."""

from collections.abc import Mapping
from dataclasses import replace

from starlette.responses import Response

from api.deliveries import Deliveries
from api.heard import Heard
from api.keeping import Keeping
from api.problems import AGAIN_SOON, Problem
from api.shape import answered
from api.spooled import Event
from api.unrecorded import Late, now
from hooks.hook import Question, Ruling
from rules.opinion import Opinion
from runtime.spool import NoRoom


class Without:
    """One per process."""

    def __init__(self, deliveries: Deliveries, keeping: Keeping) -> None:
        self._deliveries = deliveries
        self._keeping = keeping

    async def answer(
        self,
        heard: Heard,
        question: Question,
        opinion: Opinion,
        said: Mapping[str, object] | None,
        until: float,
    ) -> Response:
        """`said` is what decisions in Python said, which is kept with the answer; nothing is waited for beyond `until`, in
        the loop's time. Raises Problem."""
        hook = heard.hook
        if hook.unavailable is None:
            return await self._event(heard, question, until)
        decision = hook.unavailable(question)
        refused = opinion.refusal if decision.verdict == "refused" else None
        codes = (f"rule:{refused.rule}",) if refused else ()
        if hook.about_user:
            stub = replace(heard, request={}, user={}, raw=b"", only_request=True)
            late = Late(stub, self._deliveries.kept(heard), decision.verdict, codes, said, now())
            await self._keeping.answer(heard, late, until)
        return answered(hook.answer(question, decision, Ruling(decision.verdict, codes)))

    async def _event(self, heard: Heard, question: Question, until: float) -> Response:
        """Events are taken once they are on this host's disk, else they are the caller's to know about."""
        decision = heard.hook.decide(question)
        event = Event(self._deliveries.of(heard, question, decision.verdict), now())
        try:
            await self._keeping.event(heard, event, until)
        except NoRoom:
            words = "The ledger is out of reach: the hook may not have been recorded."
            raise Problem(503, "store_unavailable", words, AGAIN_SOON) from None
        return answered(heard.hook.answer(question, decision, Ruling(decision.verdict)))
