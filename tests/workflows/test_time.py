"""A day and more in seconds: back-off and giving up on Temporal's own clock, skipped."""

from datetime import timedelta

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.testing import TimeSkipper

from settings import Settings
from tests.workflows.examples import several
from tests.workflows.lifecycle import lifecycle


async def test_hopeless_work_is_given_up_after_a_day(settings: Settings, client: Client) -> None:
    skipper = TimeSkipper(client)
    async with lifecycle(settings, skipper.client) as person:
        receipt = await person.send("hopeless", "badge")
        handle = person.handle
        began = await skipper.get_current_time(handle)
        await skipper.fast_forward(handle, timedelta(hours=26))
        await person.ended()
        assert (await handle.describe()).status is WorkflowExecutionStatus.FAILED
        closed = (await handle.describe()).close_time
        assert closed is not None
        # No attempt is begun that would end after the day: the last back-off is up to six hours.
        assert timedelta(hours=18) <= closed - began <= timedelta(hours=24)
        assert sorted(await person.outcomes()) == [(1, "badge", "done"), (1, "hopeless", "failed")]
        tries = [s for a, s, _ in several.order if a == "hopeless" and s == str(receipt.subject)]
        assert 8 <= len(tries) <= 16
        assert await person.open_work() == 0
