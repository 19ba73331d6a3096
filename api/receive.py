"""The way of one hook: who calls, what is it, decide and record, answer, ring (DESIGN §1, §3)."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from uuid import UUID

import asyncpg
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive
from uuid_utils.compat import uuid7

from activities._planning import Planner
from api import body as bodies
from api.admission import Admission, Full
from api.auth import Caller, Refusal, Verifier
from api.breaker import Breaker
from api.deliveries import Deliveries
from api.heard import Heard
from api.keeping import Keeping
from api.problems import AGAIN_SOON, Problem, respond
from api.refusals import Refusals
from api.shape import answered, request_of
from api.unrecorded import Unrecorded
from api.without import Without
from hooks.facts import platform_id
from hooks.hook import Hook, Json, Kind, Question, Ruling
from ledger.engine import Pool, Session, Statements, StoreErrors
from ledger.receive import Delivery, Receipt, receive
from rules.before import known_before
from rules.consulting import consult
from rules.decision import DecisionTools
from rules.expressions import Asked
from rules.opinion import Opinion
from rules.policy import Policy
from runtime.bell import Bell, Ring
from runtime.logs import about
from runtime.seeing.meters import Meters
from runtime.spool import Spool
from runtime.tracing import OFF, Traces
from runtime.vault import Vault, open_vault
from settings import Settings
from settings.addresses import Addresses, is_listed

log = logging.getLogger(__name__)

_SAID_IN_TIME = 0.85
"""Share of the deadline after which the answer is given without the store: what is left is for the spool's disk."""
_ON_ITS_WAY = 0.95
"""Share of the deadline after which nobody waits for that disk, either."""
_STRANGER = "The token was not accepted; on the receiver, ./hookledger doctor says why."


@dataclass(slots=True)
class _Course:
    """How far a call has come, for the answer that is given if it comes no further."""

    until: float
    """When the answer must be on its way, in the loop's time."""
    before: Json | None = None
    said: Mapping[str, object] | None = None
    queued: bool = False
    """Waits for its tenant's turn at the store, which may be in good health."""
    waited: bool = False
    """Had its turn late: that its time is over tells nothing of the store, either."""
    tenant: str = ""
    outcome: str = "turned away"
    shelved: bool = False
    """Has a place among the large bodies."""


T = TypeVar("T")


class Receiver:
    """One per process: called for every hook."""

    def __init__(
        self,
        settings: Settings,
        policies: Mapping[str, Policy],
        verifier: Verifier,
        planner: Planner,
        bell: Bell,
        pool: Pool,
        tools: DecisionTools,
        version: str,
        spool: Spool | None = None,
        vault: Vault | None = None,
        meters: Meters | None = None,
        traces: Traces = OFF,
    ) -> None:
        self.settings = settings
        self.policies = policies
        self.tools = tools
        self.verifier = verifier
        self.planner = planner
        self.bell = bell
        self.pool = pool
        self.version = version
        self.spool = spool
        self.vault = vault or open_vault(settings)
        self.meters = meters or Meters()
        self.traces = traces
        self.deliveries = Deliveries(settings, planner, self.vault, version)
        self.breaker = Breaker()
        self.refusals = Refusals()
        self.unrecorded = Unrecorded(settings.api.keep_degraded)
        self.keeping = Keeping(spool, self.unrecorded)
        self.without = Without(self.deliveries, self.keeping)
        self.admission = Admission(settings.store.pool_size, settings.tenants, self._give_back)
        self._patience = settings.api.deadline * _SAID_IN_TIME
        self._on_its_way = settings.api.deadline * _ON_ITS_WAY
        self._shelf = bodies.Shelf(settings.api.max_body)
        self._returning: set[asyncio.Task[None]] = set()

    def use(self, settings: Settings, policies: Mapping[str, Policy]) -> None:
        """Decides by other rules, and lets in by other keys, from the next call on. Raises ConfigError."""
        self.verifier.use(settings.tenants)
        self.settings, self.policies = settings, policies
        self.admission.use(settings.tenants)

    async def __call__(self, hook: Hook, request: Request, name: str = "") -> Response:
        """Answers one call, within the deadline, whatever happens."""
        began, receipt = time.perf_counter(), uuid7()
        course = _Course(asyncio.get_running_loop().time() + self._on_its_way)
        response = await self._respond(hook, request, receipt, name or hook.name, course)
        took, status = time.perf_counter() - began, response.status_code
        self.meters.answered(course.tenant, hook.name, course.outcome, status, took)
        self.traces.answered(receipt, hook.name, course.tenant, course.outcome, status, took)
        return response

    async def _respond(
        self, hook: Hook, request: Request, receipt: UUID, name: str, course: _Course
    ) -> Response:
        about.set({"receipt": receipt, "hook": hook.name})
        self.bell.answering += 1
        try:
            return await self._answer(hook, request, receipt, name, course)
        except Refusal as refusal:
            course.tenant = refusal.tenant or ""
            self.meters.refused(course.tenant, refusal.reason)
            self.refusals.add(
                refusal.tenant, hook.name, refusal.status, refusal.reason, refusal.words, receipt
            )
            return respond(Problem(refusal.status, refusal.reason, _STRANGER, refusal.headers), str(receipt))
        except Problem as problem:
            return respond(problem, str(receipt))
        except Exception as wrong:
            course.outcome = "fault"
            # Only the type: the text of an error may hold the body.
            log.error("fault %s at %s: %s", receipt, hook.name, type(wrong).__name__)
            return respond(Problem(500, "fault", "Something went wrong here; see the log."), str(receipt))
        finally:
            self.bell.answering -= 1
            if course.shelved:
                self._shelf.give_back()

    async def _answer(
        self, hook: Hook, request: Request, receipt: UUID, name: str, course: _Course
    ) -> Response:
        caller = heard = None
        try:
            try:
                async with asyncio.timeout(self._patience):
                    headers, authorization = _headers(request)
                    self._let_in(request, self.settings.api.allow, None)
                    caller = await self.verifier.authenticate(authorization, _address(request))
                    self._let_in(request, self.settings.tenants[caller.tenant].allow, caller.tenant)
                    course.tenant = caller.tenant
                    about.set({"receipt": receipt, "hook": hook.name, "tenant": caller.tenant})
                    heard = await self._hear(hook, name, receipt, caller, headers, request.receive, course)
                    ruled = await self._rule(heard, course)
            except TimeoutError:
                if heard is None:
                    raise Problem(408, "too_slow", "The call did not arrive within the deadline.") from None
                ruled = None
                if course.queued:
                    _crowded(heard)
                elif not course.waited:
                    self.breaker.failed()
                    log.error("store: no answer within the deadline")
            return ruled or await self._unavailable(heard, course)
        except Problem as problem:
            course.outcome = "turned away"
            self.meters.refused(course.tenant, problem.code)
            if caller is not None:
                words = problem.detail
                self.refusals.add(caller.tenant, hook.name, problem.status, problem.code, words, receipt)
            raise

    def _let_in(self, request: Request, listed: Addresses, tenant: str | None) -> None:
        """Raises Refusal for an address that is not on a list. Behind a proxy it is the one that the proxy tells."""
        if listed and not is_listed(address := _address(request), listed):
            raise Refusal.elsewhere(address, tenant)

    async def _hear(
        self,
        hook: Hook,
        name: str,
        receipt: UUID,
        caller: Caller,
        headers: Mapping[bytes, bytes],
        receive: Receive,
        course: _Course,
    ) -> Heard:
        raw = await bodies.read(headers, receive, self.settings.api.max_body, self._shelf)
        course.shelved = len(raw) > bodies.SMALL
        whole = bodies.parse(raw)
        inner = request_of(hook, whole)
        tenant = self.settings.tenants[caller.tenant]
        source_id = headers.get(b"webhook-id") or headers.get(b"idempotency-key")
        return Heard(
            hook=hook,
            name=name,
            receipt=receipt,
            caller=caller,
            tenant=tenant,
            policy=self.policies[caller.tenant],
            request=inner,
            user=inner.get("user") or {},
            raw=raw,
            only_request=len(whole) == 1 and inner is not whole,
            source_id=source_id.decode("latin-1")[:255] if source_id else None,
        )

    async def _rule(self, heard: Heard, course: _Course) -> Response | None:
        """Decides, records, answers; rings once the answer is certain. None: without the store, then. Raises Problem."""
        hook = heard.hook
        spooling = self.keeping.waits
        if (spooling and hook.unavailable is None) or self.breaker.is_open:
            if hook.unavailable is not None:
                course.said = await self._consulted(heard, None)
            return None
        if spooling:
            course.waited = True
            await self.keeping.until_recorded(heard)
            course.waited = False
        try:
            if hook.name in heard.policy.knowing:
                course.before = await self._in_turn(heard, course, partial(self.last_known, heard))
            course.said = await self._consulted(heard, course.before)
            question = self._question(heard, self.opinion(heard, course.before, course.said))
            decision = hook.decide(question)
            delivery = self.deliveries.of(heard, question, decision.verdict)
            got = await self._in_turn(heard, course, partial(self._received, delivery))
        except (asyncpg.DataError, asyncpg.ProgramLimitExceededError) as wrong:
            log.warning("not storable: %s (%s)", heard.receipt, wrong.sqlstate)
            raise Problem(422, "not_storable", "The body holds a value that cannot be stored.") from None
        except Full:
            _crowded(heard)
            return None
        except StoreErrors as wrong:
            self.breaker.failed()
            log.error("store: %s (%s)", type(wrong).__name__, getattr(wrong, "sqlstate", None))
            return None
        self.breaker.succeeded()
        course.outcome = got.verdict
        if got.planned:
            self.ring(delivery, got)
        return answered(
            hook.answer(question, decision, Ruling(got.verdict, tuple(got.codes), tuple(got.names)))
        )

    async def _received(self, delivery: Delivery, session: Session) -> Receipt:
        with self.traces.of((delivery.id,), "receive", "sql"):
            return await receive(session, delivery)

    async def _in_turn(self, heard: Heard, course: _Course, call: Callable[[Session], Awaitable[T]]) -> T:
        """Asks the store when it is the tenant's turn. Raises Full.

        Nobody waits until the connection is given back: when a caller's time is over, a slow store has yet to hear so.
        """
        tenant, decision = heard.caller.tenant, heard.hook.kind is Kind.DECISION
        session: Session | None = None
        if not self.admission.enter(tenant, decision):
            course.queued = course.waited = True
            self.meters.waited(tenant)
            session = await self.admission.wait(tenant, decision)
            course.queued = False
        leave = partial(self.admission.leave, tenant, decision)
        try:
            if session is None:
                session = await self.pool.acquire()
        except BaseException:
            leave(None)
            raise
        try:
            said = await call(session)
        except BaseException:
            self._give_back(session, then=partial(leave, None))
            raise
        leave(session)
        return said

    def _give_back(self, session: Session, then: Callable[[], None] | None = None) -> None:
        """In the background. Where the store did not answer, the place is free once the connection is."""

        async def give_back() -> None:
            try:
                # Whoever asks next hears of a lost store as well.
                with contextlib.suppress(*StoreErrors):
                    await self.pool.release(session)
            finally:
                if then is not None:
                    then()

        returning = asyncio.create_task(give_back())
        self._returning.add(returning)
        returning.add_done_callback(self._returning.discard)

    def _question(self, heard: Heard, opinion: Opinion) -> Question:
        opens = heard.tenant.degraded.opens(heard.hook.name)
        return Question(heard.request, heard.user, heard.tenant, heard.policy, opinion, opens)

    async def last_known(self, heard: Heard, store: Statements) -> Json | None:
        """The person as known before what the call is about."""
        tenant, user = heard.caller.tenant, heard.user
        return await known_before(store, tenant, platform_id(user), user, heard.tenant.region)

    def _asked(self, heard: Heard, before: Json | None) -> Asked:
        return Asked(heard.hook.name, heard.caller.tenant, heard.request, heard.user, before)

    async def _consulted(self, heard: Heard, before: Json | None) -> Mapping[str, object] | None:
        """What decisions in Python say, where rules of this hook name any."""
        rules = heard.policy.python.get(heard.hook.name)
        if not rules:
            return None
        return await consult(rules, self._asked(heard, before), self.tools, heard.tenant.rules.python_timeout)

    def opinion(self, heard: Heard, before: Json | None, said: Mapping[str, object] | None = None) -> Opinion:
        """What the tenant's rules say."""
        if heard.policy.by_hook.get(heard.hook.name):
            return heard.policy.opinion(self._asked(heard, before), said)
        return Opinion(heard.user)

    def ring(self, delivery: Delivery, got: Receipt) -> None:
        """Rings for the person."""
        if got.subject is None or got.workflow_id is None or got.seq is None or delivery.person is None:
            return
        self.bell.ring(
            Ring(
                got.subject,
                got.workflow_id,
                delivery.tenant,
                delivery.person.login,
                got.seq,
                delivery.hook,
                delivery.id,
            ),
            urgent=not self.planner.only_bookkeeping(delivery.work),
        )

    async def _unavailable(self, heard: Heard, course: _Course) -> Response:
        opinion = self.opinion(heard, course.before, course.said)
        course.outcome = "without the store"
        question = self._question(heard, opinion)
        return await self.without.answer(heard, question, opinion, course.said, course.until)


def _crowded(heard: Heard) -> None:
    """The tenant has all that it may have of the store: its decisions are answered as without one. Raises Problem."""
    if heard.hook.unavailable is None:
        words = "The tenant has more hooks under way than its share: this one was not recorded."
        raise Problem(429, "too_many", words, AGAIN_SOON)


_READ = frozenset(
    {b"content-type", b"content-encoding", b"content-length", b"webhook-id", b"idempotency-key"}
)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _headers(request: Request) -> tuple[dict[bytes, bytes], str | None]:
    """The headers that are read, in one pass, and the one Authorization. Raises Refusal if there are several."""
    found: dict[bytes, bytes] = {}
    authorization: bytes | None = None
    for name, value in request.scope["headers"]:
        if name in _READ:
            found[name] = value
        elif name == b"authorization":
            if authorization is not None:
                raise Refusal.several()
            authorization = value
    return found, None if authorization is None else authorization.decode("latin-1")
