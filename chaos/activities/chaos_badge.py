"""Orders a badge for a joiner: an effect in Postgres, which is exactly once."""

from activities import Event, Hook, Tools, activity
from chaos.activities import INSERT


@activity(on=Hook.POST_CREATE_USER)
async def chaos_badge(event: Event, tools: Tools) -> None:
    tools.db.write(INSERT, key=tools.key, activity="chaos_badge")
