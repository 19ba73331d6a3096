"""A decision explained: what came, which rule spoke, what was compared, what the answer set; from what was kept then."""

from uuid import UUID

from starlette.responses import Response

from api.console.gate import HOME, Gate, Visit, to
from api.problems import Problem
from ledger.access import READ, record_access
from ledger.engine import Engine, reading, statements
from ledger.explained import find_kept, turned_away
from runtime.explaining import explain
from runtime.reading import reader

_UNKNOWN = (
    "No delivery of this tenant has that receipt. A repeated call goes by the first one's, and a call that was turned "
    "away is remembered for a while only."
)


class Decision:
    """The same as `./hookledger why`; each look at it is an entry about the person."""

    def __init__(self, gate: Gate, engine: Engine) -> None:
        self._gate = gate
        self._engine = engine

    async def form(self, visit: Visit) -> Response:
        """Asks for a receipt, or goes to the page of the one that is given."""
        tenant = self._gate.tenant(visit)
        given = visit.request.query_params.get("receipt", "").strip()
        if not given:
            return self._gate.pages.page(visit, "why.html", tenant, wrong=None, given="")
        try:
            return to(f"{HOME}/of/{tenant}/why/{UUID(given)}")
        except ValueError:
            words = "That is no receipt: copy one from a person's story or from an answer."
            return self._gate.pages.page(visit, "why.html", tenant, status=422, wrong=words, given=given)

    async def page(self, visit: Visit) -> Response:
        """One decision."""
        tenant = self._gate.tenant(visit)
        try:
            receipt = UUID(visit.request.path_params["receipt"])
        except ValueError:
            raise Problem(404, "no_such_decision", _UNKNOWN) from None
        async with reading(self._engine) as connection:
            store = await statements(connection)
            kept = await find_kept(store, receipt, tenant)
            if kept is None:
                words = await turned_away(store, receipt, tenant)
                said = f"Turned away at the door: {words}." if words else _UNKNOWN
                raise Problem(404, "no_such_decision", said)
            why = await explain(store, kept)
        subject = why.delivery["subject"]
        await self._note(visit, tenant, receipt, [UUID(subject)] if subject else [])
        return self._gate.pages.page(visit, "decision.html", tenant, why=why, rule=_said(why.rule))

    async def _note(self, visit: Visit, tenant: str, receipt: UUID, people: list[UUID]) -> None:
        who = reader(visit.principal.actor)
        detail = {"question": "why", "parameters": {"receipt": str(receipt)}, "rows": 1}
        async with self._engine.begin() as connection:
            await record_access(
                connection, tenant=tenant, actor=who.actor, code_version=who.code_version, outcome=READ,
                people=people, detail=detail, receipt=visit.receipt,
            )  # fmt: skip


def _said(rule: dict[str, object] | None) -> dict[str, object]:
    """What of a rule is shown: all that it says, but for what the page tells elsewhere."""
    return {key: value for key, value in (rule or {}).items() if key not in ("name", "kind") and value}
