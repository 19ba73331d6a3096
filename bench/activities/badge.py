"""Orders a badge for a joiner; in a storm, one row."""

from activities import Event, Hook, Tools, activity
from bench.activities import INSERT


@activity(on=Hook.POST_CREATE_USER)
async def bench_badge(event: Event, tools: Tools) -> None:
    tools.db.write(INSERT, key=tools.key, activity="bench_badge", login=event.login)
