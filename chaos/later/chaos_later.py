"""Comes and goes with deploys: planned by one release, unknown to or retired by the other."""

from activities import Event, Hook, Tools, activity
from chaos.activities import INSERT


@activity(on=Hook.POST_CREATE_USER)
async def chaos_later(event: Event, tools: Tools) -> None:
    tools.db.write(INSERT, key=tools.key, activity="chaos_later")
