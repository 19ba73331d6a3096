"""Makes a mailbox for a joiner; in a storm, one row."""

from activities import Event, Hook, Tools, activity
from bench.activities import INSERT


@activity(on=Hook.POST_CREATE_USER)
async def bench_mailbox(event: Event, tools: Tools) -> None:
    tools.db.write(INSERT, key=tools.key, activity="bench_mailbox", login=event.login)
