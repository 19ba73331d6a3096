"""One round of retention, as a workflow: what was dropped is in the ledger, and counts of it in the details."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from ledger.retained import Retained

NAME = "Retain"
ACTIVITY = "retain"
SUMMARY = "makes next months, drops what is over age: ./hookledger ledger retention"
LONGEST = timedelta(hours=20)
"""For all attempts together: the next day's run takes up what is left."""
ALIVE = timedelta(minutes=2)
"""Without a sign of life for so long, another worker begins the round again."""
_RETRY = RetryPolicy(initial_interval=timedelta(minutes=1), maximum_interval=timedelta(minutes=30))


@workflow.defn(name=NAME)
class Retain:
    """Keeps no state: Postgres says what is there, so a round that was broken off begins again."""

    @workflow.run
    async def run(self) -> Retained:
        retained = await workflow.execute_activity(
            ACTIVITY,
            result_type=Retained,
            start_to_close_timeout=LONGEST,
            schedule_to_close_timeout=LONGEST,
            heartbeat_timeout=ALIVE,
            retry_policy=_RETRY,
            summary="one round",
        )
        workflow.set_current_details(shown(retained))
        return retained


def shown(retained: Retained) -> str:
    """What was done, in Markdown, for the Temporal UI."""
    lines = [f"{retained.made} tables for months to come were made.", ""]
    if retained.trouble:
        lines[:1] = [f"**No months were made:** {retained.trouble}."]
    if retained.steps:
        lines += ["| class | month | dropped | put off because |", "| --- | --- | --- | --- |"]
    for step in retained.steps:
        dropped = ", ".join(f"{count:,} {store}" for store, count in step.dropped.items())
        lines.append(f"| {step.class_} | {step.month} | {dropped} | {step.trouble} |")
    return "\n".join(lines)
