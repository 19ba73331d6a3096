"""One reconciliation of a tenant with the platform's user list, as a workflow: counts and sentences, never people."""

from dataclasses import dataclass, field, fields
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

NAME = "Reconcile"
ACTIVITY = "reconcile"
LONGEST = timedelta(hours=24)
"""For all attempts together: a later run of the schedule is passed over while this one goes on."""
_RETRY = RetryPolicy(initial_interval=timedelta(seconds=30), maximum_interval=timedelta(minutes=30))


@dataclass(frozen=True)
class Order:
    """Which tenant; everything else is in the configuration when the run begins."""

    tenant: str


@dataclass
class Counts:
    """What a run saw and found. Numbers only."""

    pages: int = 0
    listed: int = 0
    """People on the list."""
    created: int = 0
    changed: int = 0
    removed: int = 0
    meanwhile: int = 0
    """Differences that a hook had explained before they were looked at again."""
    unclear: int = 0
    """Differences that could not be looked at again; the next run will."""
    unlisted: int = 0
    """People who are there, but whom the list leaves out."""
    unreadable: int = 0
    """Rows without id or login, or that cannot be stored."""


@dataclass(frozen=True)
class Summary:
    """How a run went. `notes` are sentences for operators; `clean` is False if one of them wants something done."""

    counts: Counts
    notes: list[str] = field(default_factory=list[str])
    clean: bool = True


@workflow.defn(name=NAME)
class Reconcile:
    """Runs one activity. Interrupted, it begins again at the first page: what was recorded is known by then."""

    @workflow.run
    async def run(self, order: Order) -> Summary:
        workflow.set_current_details(
            "Reading the user list; the page is in the pending activity's heartbeat."
        )
        summary = await workflow.execute_activity(
            ACTIVITY,
            order,
            result_type=Summary,
            start_to_close_timeout=LONGEST,
            schedule_to_close_timeout=LONGEST,
            heartbeat_timeout=timedelta(seconds=60),
            retry_policy=_RETRY,
            summary=f"user list of {order.tenant}",
        )
        workflow.set_current_details(details(summary))
        return summary


def details(summary: Summary) -> str:
    """A table of the counts, and the notes below it."""
    rows = [f"| {f.name} | {getattr(summary.counts, f.name):,} |" for f in fields(Counts)]
    return "\n".join(["| | |", "| --- | ---: |", *rows, "", *(f"- {note}" for note in summary.notes)])
