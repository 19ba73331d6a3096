"""The sealer: one long-lived run that seals what was written since, round after round, and shows how far it has come."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from ledger.sealed import Sealed

NAME = "Seal"
ACTIVITY = "seal"
SUMMARY = "seals the ledger: a signed checkpoint of every entry so far"
"""Also heads the details: Temporal does not carry a run's summary over when it continues as new."""
ROUNDS = 500
"""After so many, the run continues as new, so that histories stay bounded: some eight hours by the minute."""

_FOREVER = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=60))


@workflow.defn(name=NAME)
class Seal:
    """Keeps no state: Postgres says what is sealed, so any run can start from nothing."""

    @workflow.run
    async def run(self, rounds: int = ROUNDS) -> None:
        workflow.set_current_details(SUMMARY)
        for _ in range(rounds):
            sealed = await workflow.execute_activity(
                ACTIVITY,
                result_type=Sealed,
                start_to_close_timeout=timedelta(seconds=120),
                retry_policy=_FOREVER,
                summary="one round",
            )
            workflow.set_current_details(shown(sealed))
            if workflow.info().is_continue_as_new_suggested():
                break
            await workflow.sleep(sealed.pause, summary="until the next round")
        workflow.continue_as_new(rounds)


def shown(sealed: Sealed) -> str:
    """How things stand, in Markdown, for the Temporal UI: counts, nobody's name."""
    lines = [
        "| leaves | sealed in this round | waiting | elsewhere |",
        "| --- | --- | --- | --- |",
        f"| {sealed.size} | {sealed.sealed} | {sealed.waiting} | {sealed.held} |",
        "",
        "`./hookledger ledger verify` checks them.",
    ]
    if sealed.trouble:
        lines.append(f"**Nothing was sealed:** {sealed.trouble}")
    if sealed.held == "refused":
        lines.append("**The checkpoint kept elsewhere is not of this ledger's past:** see the worker's log.")
    return "\n".join(lines)
