"""The watch: one long-lived run that looks for silent gaps, round after round, and shows how many there are."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from ledger.seen import Seen

NAME = "Watch"
SUMMARY = "silent gaps: intentions that no fact followed"
"""Also heads the details: Temporal does not carry a run's summary over when it continues as new."""
ROUNDS = 500
"""After so many, the run continues as new, so that histories stay bounded: some eight hours by the minute."""

SHOWN = 50
"""Tenants in the table."""

_FOREVER = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=60))


@workflow.defn(name=NAME)
class Watch:
    """Keeps no state: Postgres says how far it has looked, so any run can start from nothing."""

    @workflow.run
    async def run(self, rounds: int = ROUNDS) -> None:
        workflow.set_current_details(SUMMARY)
        for _ in range(rounds):
            seen = await workflow.execute_activity(
                "watch",
                result_type=Seen,
                start_to_close_timeout=timedelta(seconds=60),
                retry_policy=_FOREVER,
                summary="one round",
            )
            workflow.set_current_details(table(seen))
            if workflow.info().is_continue_as_new_suggested():
                break
            await workflow.sleep(seen.pause, summary="until the next round")
        workflow.continue_as_new(rounds)


def table(seen: Seen) -> str:
    """How things stand, in Markdown, for the Temporal UI: tenants and counts, nobody's name."""
    lines = [
        "| tenant | open gaps | opened in this round | closed in this round |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| {t.tenant} | {t.open} | {t.opened} | {t.closed} |" for t in seen.tenants[:SHOWN]]
    if len(seen.tenants) > SHOWN:
        lines.append(f"| and {len(seen.tenants) - SHOWN} more | | | |")
    lines += ["", "`./hookledger gaps` names them."]
    if seen.behind:
        lines.append("There is more to look at: the next round follows at once.")
    return "\n".join(lines)
