"""Passes a password on: an effect in Postgres, for which the sealed password has to outlive whatever breaks."""

from activities import Event, Hook, Tools, activity
from chaos.activities import INSERT


@activity(on=Hook.CHANGE_PASSWORD, secret=True)
async def chaos_password(event: Event, tools: Tools) -> None:
    if event.secret is not None:
        tools.db.write(INSERT, key=tools.key, activity="chaos_password")
