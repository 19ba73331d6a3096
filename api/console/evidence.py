"""What evidences the ledger itself: the newest signed checkpoint, how far sealing has come, who last verified the whole."""

from starlette.responses import Response

from api.console.gate import Gate, Visit
from ledger.engine import Engine, reading, statements
from ledger.published import last_verified, newest_note, read_sealing


class Evidence:
    """Tells of nobody: looking at it is no entry."""

    def __init__(self, gate: Gate, engine: Engine) -> None:
        self._gate = gate
        self._engine = engine

    async def page(self, visit: Visit) -> Response:
        """The note as it is signed, to be kept elsewhere."""
        tenant = self._gate.tenant(visit)
        async with reading(self._engine) as connection:
            store = await statements(connection)
            note = await newest_note(store)
            sealing = await read_sealing(store)
            verified = await last_verified(store, tenant)
        return self._gate.pages.page(
            visit, "evidence.html", tenant, note=note, sealing=sealing, verified=verified
        )
