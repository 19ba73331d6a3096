"""The first page of a tenant: what came, what is broken, what waits, and what can be asked."""

from datetime import timedelta

from starlette.responses import Response

from api.console.chart import HEIGHT, KINDS, WIDTH, chart
from api.console.gate import HOME, Gate, Visit, to
from hooks import by_name
from ledger.clock import store_time
from ledger.engine import Engine, reading, statements
from ledger.overview import Standing, read_standings
from ledger.published import last_verified, read_sealing
from ledger.trends import broken_work, hooks_over_time

_SPANS = {
    "day": (24, timedelta(hours=1), "the last 24 hours, by the hour"),
    "week": (28, timedelta(hours=6), "the last 7 days, by 6 hours"),
    "month": (30, timedelta(days=1), "the last 30 days, by the day"),
}


class Overview:
    """Tells of numbers and of nobody: looking at it is no entry."""

    def __init__(self, gate: Gate, engine: Engine) -> None:
        self._gate = gate
        self._engine = engine
        self._kinds = {h.name: "facts" if h.fact else "decisions" for h in by_name().values()}

    async def home(self, visit: Visit) -> Response:
        """To the first tenant that they may read."""
        may = visit.principal.tenants("auditor", self._gate.tenants)
        return to(f"{HOME}/of/{may[0]}")

    async def page(self, visit: Visit) -> Response:
        """How one tenant stands."""
        tenant = self._gate.tenant(visit)
        span = visit.request.query_params.get("span", "day")
        steps, step, words = _SPANS.get(span, _SPANS["day"])
        now = await store_time(self._engine)
        # The last column is the one under way.
        until = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        since = until - steps * step
        async with reading(self._engine) as connection:
            came = await hooks_over_time(connection, tenant, since, until, step)
            broken = await broken_work(connection, tenant)
            standing = (await read_standings(connection, [tenant])).get(tenant, Standing())
            store = await statements(connection)
            sealing, verified = await read_sealing(store), await last_verified(store, tenant)
        return self._gate.pages.page(
            visit,
            "overview.html",
            tenant,
            chart=chart(came, since, steps, step, self._kinds),
            size=(WIDTH, HEIGHT),
            kinds=KINDS,
            spans=_SPANS,
            span=span if span in _SPANS else "day",
            words=words,
            broken=broken,
            standing=standing,
            sealing=sealing,
            verified=verified,
        )
