"""Opens a ticket for each change: an effect elsewhere, which is at least once, with a key."""

import os

import httpx

from activities import Event, Hook, Tools, Unavailable, activity, seconds


@activity(on=[Hook.POST_UPDATE_USER, Hook.POST_PROVISION], longest_wait=seconds(5))
async def chaos_ticket(event: Event, tools: Tools) -> None:
    try:
        answer = await tools.http.post(os.environ["CHAOS_DESK"], headers={"idempotency-key": tools.key})
    except httpx.TransportError as wrong:
        raise Unavailable(type(wrong).__name__) from None
    if not answer.is_success:
        raise Unavailable(f"status {answer.status_code}")
