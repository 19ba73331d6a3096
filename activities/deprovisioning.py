"""Starts the leaver's clock when the platform was told to take applications away: their entitlements are ending."""

from activities import Event, Hook, Outcome, Tools, activity
from ledger.people import ENDING


@activity(on=Hook.RUN_DEPROVISION, bookkeeping=True)
async def deprovisioning(event: Event, tools: Tools) -> Outcome:
    if event.verdict != "deprovision":
        return Outcome("left in place", {"answer": event.verdict})
    tools.db.write(ENDING, subject=event.subject, application=None, at=event.received_at)
    return Outcome("ending")
