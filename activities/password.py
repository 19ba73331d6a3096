"""Writes down that a password was changed: when, never what."""

from activities import Event, Hook, Outcome, Tools, activity


@activity(on=Hook.CHANGE_PASSWORD, bookkeeping=True)
async def password(event: Event, tools: Tools) -> Outcome:
    return Outcome("password changed")
