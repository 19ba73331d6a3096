"""The way of one hook: who calls, what is it, cut the secrets out, decide and record, answer, ring (DESIGN §1, §3)."""

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg
import uuid_utils
from starlette.requests import Request
from starlette.responses import Response

from activities._planning import Planner
from api import body as bodies
from api.auth import Caller, Refusal, Verifier
from api.breaker import Breaker
from api.problems import Problem, respond
from api.refusals import Refusals
from hooks.hook import Hook, Json, Question, Ruling
from hooks.secrets import TooDeep, cut
from ledger.engine import Pool, StoreErrors
from ledger.receive import Delivery, Fact, Person, Planned, Receipt, receive
from rules.normal import normal, unique_values
from runtime.bell import Bell, Ring
from runtime.vault import Vault
from runtime.workflow_id import workflow_id
from settings import Settings, Tenant

log = logging.getLogger(__name__)

RULES = "builtin:1"
"""Names the rules that decided; tenants' own rules will bring their hash."""
_VAULT_DAYS = 2
_RETRY = {"Retry-After": "2"}
_STRANGER = "The token was not accepted; on the receiver, ./hookledger doctor says why."


@dataclass(frozen=True, slots=True)
class _Heard:
    """One authenticated, parsed delivery."""

    hook: Hook
    caller: Caller
    tenant: Tenant
    raw: bytes
    question: Question
    receipt: UUID
    source_id: str | None
    name: str


class Receiver:
    """One per process: called by every hook's route."""

    def __init__(
        self,
        settings: Settings,
        verifier: Verifier,
        planner: Planner,
        bell: Bell,
        pool: Pool,
        version: str,
    ) -> None:
        self.settings = settings
        self.verifier = verifier
        self.planner = planner
        self.bell = bell
        self.pool = pool
        self.version = version
        self.vault = Vault(settings.fingerprint_key)
        self.breaker = Breaker()
        self.refusals = Refusals()

    async def __call__(self, hook: Hook, request: Request, name: str = "") -> Response:
        """Answers one call, within the deadline, whatever happens."""
        receipt = UUID(int=uuid_utils.uuid7().int)
        try:
            return await self._answer(hook, request, receipt, name or hook.name)
        except Refusal as refusal:
            self.refusals.add(
                refusal.tenant, hook.name, refusal.status, refusal.reason, refusal.words, receipt
            )
            return respond(Problem(refusal.status, refusal.reason, _STRANGER, refusal.headers), str(receipt))
        except Problem as problem:
            return respond(problem, str(receipt))
        except Exception as wrong:
            log.error("fault %s at %s: %s", receipt, hook.name, type(wrong).__name__)
            return respond(Problem(500, "fault", "Something went wrong here; see the log."), str(receipt))

    async def _answer(self, hook: Hook, request: Request, receipt: UUID, name: str) -> Response:
        try:
            async with asyncio.timeout(self.settings.api.deadline):
                caller = await self.verifier.authenticate(_authorization(request))
                try:
                    heard = await self._hear(hook, caller, request, receipt, name)
                except Problem as problem:
                    self.refusals.add(
                        caller.tenant, hook.name, problem.status, problem.code, problem.detail, receipt
                    )
                    raise
                return await self._rule(heard)
        except TimeoutError:
            raise Problem(408, "too_slow", "The call did not arrive within the deadline.") from None

    async def _hear(self, hook: Hook, caller: Caller, request: Request, receipt: UUID, name: str) -> _Heard:
        raw = await bodies.read(request, self.settings.api.max_body)
        inner = _shape(hook, bodies.parse(raw))
        tenant = self.settings.tenants[caller.tenant]
        headers = request.headers
        return _Heard(
            hook=hook,
            caller=caller,
            tenant=tenant,
            raw=raw,
            question=Question(inner, inner.get("user") or {}, tenant),
            receipt=receipt,
            source_id=(headers.get("webhook-id") or headers.get("idempotency-key") or "")[:255] or None,
            name=name,
        )

    async def _rule(self, heard: _Heard) -> Response:
        """Decides, records, answers; rings once the answer is certain."""
        hook, question = heard.hook, heard.question
        decision = hook.decide(question)
        delivery = self._delivery(heard, decision.verdict)
        if self.breaker.is_open:
            return self._unavailable(heard)
        try:
            async with asyncio.timeout(self.settings.api.deadline * 0.75):
                got = await receive(self.pool, delivery)
        except asyncpg.DataError as wrong:
            # The store's own word that a value cannot be stored: the caller's, not ours, but never repeated.
            log.warning("not storable: %s (%s)", heard.receipt, wrong.sqlstate)
            raise Problem(422, "not_storable", "The body holds a value that cannot be stored.") from None
        except StoreErrors as wrong:
            self.breaker.failed()
            log.error("store: %s (%s)", type(wrong).__name__, getattr(wrong, "sqlstate", None))
            return self._unavailable(heard)
        self.breaker.succeeded()
        self._ring(delivery, got)
        answer = hook.answer(question, decision, Ruling(got.verdict, tuple(got.codes)))
        return _json({"response": answer})

    def _delivery(self, heard: _Heard, verdict: str) -> Delivery:
        hook, question, tenant, caller = heard.hook, heard.question, heard.tenant, heard.caller
        try:
            kept = cut(hook.keep(question.request), self.settings.api.max_depth)
        except TooDeep:
            raise bodies.too_deep() from None
        work = self.planner.plan(hook, kept, caller.tenant) if hook.about_user else []
        values: list[tuple[str, str]] = []
        if hook.check or hook.whole_user:
            values = sorted(unique_values(question.user, tenant.unique, tenant.region))
        brake = tenant.deprovision if hook.braked and verdict == "deprovision" else None
        return Delivery(
            id=heard.receipt,
            tenant=caller.tenant,
            hook=hook.name,
            verdict=verdict,
            body=bodies.write(
                {"request": kept} if heard.name == hook.name else {"request": kept, "hook": heard.name}
            ),
            actor=caller.actor,
            acting_for=caller.delegatee,
            code_version=self.version,
            rules_hash=RULES,
            person=self._person(heard) if hook.about_user else None,
            application=_storable(hook.application(question.request)),
            creates=hook.creates,
            fact=hook.fact,
            identity=_fact(question.user) if hook.whole_user else None,
            check=hook.check,
            hold=timedelta(seconds=tenant.hold_seconds) if hook.holds else None,
            values=values,
            release=timedelta(days=tenant.leavers_release_days),
            brake=brake.brake if brake else None,
            brake_window=timedelta(seconds=brake.brake_window) if brake else timedelta(0),
            confirms=list(hook.confirms) or None,
            source_id=heard.source_id,
            twin=self._twin(heard.raw) if hook.repeats_are_suspect and hook.about_user else None,
            work=work,
            sealed=self._sealed(heard, work),
            sealed_for=timedelta(days=_VAULT_DAYS),
        )

    def _person(self, heard: _Heard) -> Person:
        user = heard.question.user
        login = normal("login", user["login"], user, heard.tenant.region) or ""
        subject = UUID(int=uuid_utils.uuid7().int)
        shown = user["login"] if self.settings.temporal.show_login else None
        platform_id = user.get("id")
        return Person(
            login=login,
            platform_id=_storable(platform_id) if isinstance(platform_id, str) and platform_id else None,
            new_subject=subject,
            new_workflow=workflow_id(heard.caller.tenant, shown, subject),
        )

    def _twin(self, raw: bytes) -> bytes:
        return hashlib.blake2b(raw, key=self.settings.fingerprint_key[:64], digest_size=16).digest()

    def _sealed(self, heard: _Heard, work: list[Planned]) -> bytes | None:
        secret = heard.question.request.get("passwordText")
        if not isinstance(secret, str) or not self.planner.needs_secret(work):
            return None
        return self.vault.seal(str(heard.receipt), secret)

    def _ring(self, delivery: Delivery, got: Receipt) -> None:
        if got.planned == 0 or got.subject is None or got.workflow_id is None or got.seq is None:
            return
        login = delivery.person.login if delivery.person else ""
        self.bell.ring(
            Ring(got.subject, got.workflow_id, delivery.tenant, login, got.seq, delivery.hook),
            urgent=not self.planner.only_bookkeeping(list(delivery.work)),
        )

    def _unavailable(self, heard: _Heard) -> Response:
        """Decisions have an answer for this; events are the caller's to know about."""
        if heard.hook.unavailable is not None:
            return _json({"response": heard.hook.unavailable(heard.question)})
        if heard.hook.name == "test":
            return _json({"response": {}})
        raise Problem(503, "store_unavailable", "The ledger is out of reach: nothing was recorded.", _RETRY)


def _authorization(request: Request) -> str | None:
    values = request.headers.getlist("authorization")
    if len(values) > 1:
        raise Refusal.several()
    return values[0] if values else None


def _json(content: Json) -> Response:
    return Response(bodies.write(content), media_type="application/json")


def _shape(hook: Hook, whole: Json) -> Json:
    """The request object. Raises Problem 422, naming the missing key. Only what a hook needs is required."""
    inner = whole.get("request")
    if not hook.about_user:
        return inner if isinstance(inner, dict) else whole  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(inner, dict):
        raise _misses("request", "an object")
    user = inner.get("user")  # pyright: ignore[reportUnknownVariableType,reportUnknownMemberType]
    if not isinstance(user, dict):
        raise _misses("request.user", "an object")
    login = user.get("login")  # pyright: ignore[reportUnknownVariableType,reportUnknownMemberType]
    if not isinstance(login, str) or not login.strip():
        raise _misses("request.user.login", "text that is not empty")
    for key, kind in (hook.keys or {}).items():
        if not isinstance(inner.get(key), kind):  # pyright: ignore[reportUnknownMemberType]
            raise _misses(f"request.{key}", "text" if kind is str else kind.__name__)
    return inner  # pyright: ignore[reportUnknownVariableType]


def _misses(path: str, what: str) -> Problem:
    return Problem(422, "missing_key", f"The body must have {path}: {what}.")


def _storable(text: str | None) -> str | None:
    """Postgres text has no NUL."""
    return text.replace("\x00", "\ufffd")[:512] if text is not None else None


def _fact(user: Json) -> Fact:
    status, version, updated = user.get("status"), user.get("version"), user.get("updated")
    word = status.upper() if isinstance(status, str) else ""
    archived = word.startswith("ARCHIV")
    whole = isinstance(version, int) and not isinstance(version, bool) and abs(version) < 1 << 62
    return Fact(
        status=_storable(status) if isinstance(status, str) else None,
        left=archived or word.startswith("DELETE"),
        archived=archived,
        version=version if whole else None,
        updated=_storable(updated) if isinstance(updated, str) else None,
    )
