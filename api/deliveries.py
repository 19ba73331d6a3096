"""What is recorded of a call: the delivery with its work, its secrets cut out, its actors under pseudonyms."""

import hashlib
from datetime import timedelta

from uuid_utils.compat import uuid7

from activities._planning import Planner
from api import body as bodies
from api.caller import Caller
from api.heard import Heard
from hooks.facts import fact_of, platform_id, storable
from hooks.hook import Json, Question
from hooks.judging import login_of, values_of
from hooks.secrets import TooDeep, cut
from ledger.degraded import TURNED_AWAY
from ledger.receive import Delivery, Note, Person
from rules.opinion import Opinion, outcome_of
from runtime.vault import Vault
from runtime.workflow_id import workflow_id
from settings import Settings

NOT_KEPT = "secret not kept"
"""The outcome of a delivery whose password an activity needs, and the vault would not take."""


class Deliveries:
    """One per process. Makes of a call, and of what was decided on it, what the ledger takes."""

    def __init__(self, settings: Settings, planner: Planner, vault: Vault, version: str) -> None:
        self._planner = planner
        self._version = version
        self._vault = vault
        self._key = settings.fingerprint_key[:64]
        self._max_depth = settings.api.max_depth
        self._show_login = settings.temporal.show_login

    def of(self, heard: Heard, question: Question, verdict: str) -> Delivery:
        """What is recorded of it. Raises Problem if it is too deep."""
        hook, tenant, caller, opinion = heard.hook, heard.tenant, heard.caller, question.opinion
        try:
            kept = cut(hook.keep(heard.request), self._max_depth)
        except TooDeep:
            raise bodies.too_deep() from None
        work = self._planner.plan(hook, kept, caller.tenant) if hook.about_user else []
        sealed_for = self._planner.sealed_for(work)
        secret = _secret(heard) if sealed_for is not None else None
        sealed = self._vault.seal(str(heard.receipt), secret) if secret is not None else None
        brake = tenant.deprovision if hook.braked and verdict == "deprovision" else None
        return Delivery(
            id=heard.receipt,
            tenant=caller.tenant,
            hook=hook.name,
            verdict=verdict,
            body=_body(heard, kept),
            actor=self._actor(caller),
            acting_for=self._pseudonym(caller.delegatee) if caller.delegatee else None,
            code_version=self._version,
            rules_hash=heard.policy.hash,
            person=self._person(heard, question) if hook.about_user else None,
            application=storable(hook.application(heard.request)),
            creates=hook.creates,
            fact=hook.fact,
            identity=fact_of(heard.user) if hook.whole_user else None,
            check=hook.check,
            hold=timedelta(seconds=tenant.hold_seconds) if hook.holds and verdict != TURNED_AWAY else None,
            values=values_of(hook, question),
            release=timedelta(days=tenant.leavers_release_days),
            brake=brake.brake if brake else None,
            brake_window=timedelta(seconds=brake.brake_window) if brake else timedelta(0),
            confirms=list(hook.confirms) or None,
            source_id=heard.source_id,
            twin=self._twin(heard.raw) if hook.repeats_are_suspect and hook.about_user else None,
            work=work,
            sealed=sealed,
            sealed_for=sealed_for or timedelta(0),
            codes=[f"rule:{opinion.refusal.rule}"] if opinion.refusal and verdict == "refused" else (),
            shadowed=heard.policy.shadowed if hook.check else (),
            patch=bodies.write(cut(opinion.changed, self._max_depth)) if opinion.changed else None,
            notes=_notes(opinion) + _not_kept(secret, sealed),
            wishes=opinion.wishes,
        )

    def kept(self, heard: Heard) -> bytes:
        """What is kept in memory, as what is kept in the store: without secrets."""
        try:
            return bodies.write({"request": cut(heard.hook.keep(heard.request), self._max_depth)}).encode()
        except TooDeep:
            raise bodies.too_deep() from None

    def _person(self, heard: Heard, question: Question) -> Person:
        user = heard.user
        subject = uuid7()
        shown = user["login"] if self._show_login else None
        return Person(
            login=login_of(question, self._key),
            platform_id=platform_id(user),
            new_subject=subject,
            new_workflow=workflow_id(heard.caller.tenant, shown, subject),
        )

    def _actor(self, caller: Caller) -> str:
        """Who asked, as the token asserts: the platform's id if it names one, else a pseudonym."""
        return f"user:{caller.user_id}" if caller.user_id else self._pseudonym(caller.actor)

    def _pseudonym(self, name: str) -> str:
        digest = hashlib.blake2b(name.encode(), key=self._key, digest_size=8, person=b"actor")
        return f"actor:{digest.hexdigest()}"

    def _twin(self, raw: bytes) -> bytes:
        return hashlib.blake2b(raw, key=self._key, digest_size=16, person=b"twin").digest()


def _secret(heard: Heard) -> str | None:
    secret = heard.request.get("passwordText")
    return secret if isinstance(secret, str) else None


def _not_kept(secret: str | None, sealed: bytes | None) -> list[Note]:
    """The hook counts more than its password: where no key seals, it is recorded without."""
    return [] if secret is None or sealed is not None else [Note(NOT_KEPT, "{}")]


def _notes(opinion: Opinion) -> list[Note]:
    """Entries for what the rules in shadow would have done, and for rules that went wrong: names, never values."""
    notes: list[Note] = []
    for finding in opinion.noted:
        detail = {
            "rule": finding.rule,
            "code": finding.code,
            "attributes": finding.attributes,
            "words": finding.words,
        }
        notes.append(Note(outcome_of(finding), bodies.write({k: v for k, v in detail.items() if v})))
    return notes


def _body(heard: Heard, kept: Json) -> str:
    """What is stored: the bytes as they came, if nothing had to be cut or left out."""
    if heard.name != heard.hook.name:
        return bodies.write({"request": kept, "hook": heard.name})
    if kept is heard.request and heard.only_request and b"\\" not in heard.raw:
        return heard.raw.decode()
    return bodies.write({"request": kept})
