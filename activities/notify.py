"""Tells another system of a delivery by a signed call (Standard Webhooks: webhook-id, -timestamp, -signature)."""

import json
from datetime import UTC, datetime

import httpx
from standardwebhooks import Webhook

from activities import Event, Hook, Outcome, Tools, Unavailable, activity
from activities._answers import failure


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
    raise failure(answer)


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
