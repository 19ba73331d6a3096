"""What a delivery asks of the store: which values must be free, and whose they would be."""

import hashlib
from collections.abc import Sequence

from hooks.hook import Hook, Question
from rules.normal import normal, unique_values
from rules.opinion import Opinion


def values_of(hook: Hook, question: Question) -> Sequence[tuple[str, str]]:
    """What must be unique, (attribute, normal form), sorted; but for the names that the store will find."""
    tenant, opinion = question.tenant, question.opinion
    if hook.check:
        wished = {wish.attribute for wish in opinion.wishes}
        uniques = [u for u in question.policy.uniques if u.attribute not in wished]
        return sorted(unique_values(opinion.user, uniques, tenant.region))
    if hook.whole_user:
        return sorted(unique_values(question.user, tenant.unique, tenant.region))
    return ()


def login_of(question: Question, key: bytes) -> str:
    """Who it is, in normal form. `key` (64 bytes at most) keeps who a login is asked for from being guessed."""
    user = question.user
    return (
        _asked_for(question.opinion, key)
        or normal("login", user["login"], user, question.tenant.region)
        or ""
    )


def _asked_for(opinion: Opinion, key: bytes) -> str | None:
    """Who a login is asked for: the one that was sent is not theirs, and may be somebody else's."""
    person = next((w.person for w in opinion.wishes if w.attribute == "login"), None)
    if person is None:
        return None
    digest = hashlib.blake2b(person.encode(), key=key, digest_size=16, person=b"person")
    return f"asked for: {digest.hexdigest()}"
