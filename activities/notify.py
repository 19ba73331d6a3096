"""Tells another system of a delivery by a signed call (Standard Webhooks: webhook-id, -timestamp, -signature)."""

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
from standardwebhooks import Webhook

from activities import Event, Hook, Outcome, Refused, Tools, Unavailable, activity

_RETRIED = frozenset({408, 409, 423, 425, 429})


@activity(
    on=[
        Hook.POST_CREATE_USER,
        Hook.POST_UPDATE_USER,
        Hook.CHANGE_PASSWORD,
        Hook.POST_PROVISION,
        Hook.RUN_DEPROVISION,
    ],
    needs_settings=True,
)
async def notify(event: Event, tools: Tools) -> Outcome:
    """Tells another system of a delivery by a signed call: `[activities.notify] url, secret (whsec_…), full`."""
    now = datetime.now(UTC)
    message = json.dumps(_message(event, full=bool(tools.settings.get("full"))), ensure_ascii=False)
    headers = {
        "content-type": "application/json",
        "webhook-id": tools.key,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(str(tools.settings["secret"])).sign(tools.key, now, message),
    }
    try:
        answer = await tools.http.post(str(tools.settings["url"]), content=message.encode(), headers=headers)
    except httpx.TransportError as wrong:
        raise Unavailable(type(wrong).__name__) from None
    if answer.is_success:
        return Outcome("notified", {"status": answer.status_code})
    if answer.status_code >= 500 or answer.status_code in _RETRIED:
        raise Unavailable(f"status {answer.status_code}", retry_after=_retry_after(answer))
    raise Refused(f"status {answer.status_code}")


def _message(event: Event, *, full: bool) -> dict[str, object]:
    """Ids only, unless the tenant asked for the whole request."""
    data: dict[str, object] = {
        "delivery": event.delivery,
        "tenant": event.tenant,
        "subject": event.subject,
        "seq": event.seq,
        "user_id": event.user.get("id"),
        "application": event.application,
    }
    if full:
        data["request"] = dict(event.request)
    return {"type": f"user.{event.hook}", "timestamp": event.received_at.isoformat(), "data": data}


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds of Retry-After, which is a number or a date (RFC 9110 §10.2.3); at most an hour."""
    text = answer.headers.get("retry-after", "")
    if text.isdecimal():
        return min(float(text), 3600.0)
    try:
        wait = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None
    return min(max(wait, 0.0), 3600.0)
