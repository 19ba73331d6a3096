"""Opens a ticket when one application was provisioned; in a storm, one row."""

from activities import Event, Hook, Tools, activity
from bench.activities import INSERT


@activity(on=Hook.POST_PROVISION, when='request.applicationId == "hr"')
async def bench_ticket(event: Event, tools: Tools) -> None:
    tools.db.write(INSERT, key=tools.key, activity="bench_ticket", login=event.login)
