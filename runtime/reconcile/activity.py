"""The schedule's activity: one run for one tenant, with a sign of life that tells the page it is at."""

import asyncio
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from runtime.reconcile.tally import Progress
from runtime.reconcile.tenant import UnderWay, reconcile
from runtime.reconcile.user_list import PlatformLost, PlatformRefuses
from settings import Settings
from workflows.reconcile import ACTIVITY, Counts, Order, Summary

_SIGN_EVERY = 5.0
"""Seconds; a third of a minute without one and Temporal gives the run to another worker."""


class Reconciler:
    """Runs what is configured. What reaches Temporal are counts, sentences of ours, and the tenant's name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @activity.defn(name=ACTIVITY)
    async def reconcile(self, order: Order) -> Summary:
        """One run; a run that was interrupted begins again, and finds what it had recorded known."""
        progress = Progress("beginning", Counts(), None)

        def note(now: Progress) -> None:
            nonlocal progress
            progress = now

        async def live() -> None:
            while True:
                counts = progress.counts
                activity.heartbeat(
                    progress.doing, f"page {counts.pages}", f"{counts.listed} people of {progress.total}"
                )
                await asyncio.sleep(_SIGN_EVERY)

        if order.tenant not in self._settings.tenants:
            raise ApplicationError("no such tenant here", type="Unconfigured", non_retryable=True)
        living = asyncio.create_task(live())
        try:
            return await reconcile(self._settings, order.tenant, watch=note)
        except PlatformRefuses as wrong:
            raise ApplicationError(str(wrong), type="PlatformRefuses", non_retryable=True) from None
        except PlatformLost as wrong:
            raise ApplicationError(f"the platform: {wrong}", type="PlatformLost") from None
        except UnderWay as wrong:
            raise ApplicationError(
                str(wrong), type="UnderWay", next_retry_delay=timedelta(minutes=1)
            ) from None
        finally:
            living.cancel()
