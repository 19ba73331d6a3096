"""The auditor's pack from a page: a form, and the archive as it is made."""

from starlette.responses import Response

from api.console.fields import fields
from api.console.gate import Gate, Visit
from api.console.pages import guarded
from api.query.packs import Packs
from api.query.parameters import BadParameters, read
from ledger.pack.asked import PackAsked


class Export:
    """The form is posted: what was asked stands in no address, and the pack is an entry like any other reading."""

    def __init__(self, gate: Gate, packs: Packs) -> None:
        self._gate = gate
        self._packs = packs

    async def form(self, visit: Visit) -> Response:
        """What may be asked of a pack."""
        return self._form(visit, self._gate.tenant(visit), {}, None)

    async def pack(self, visit: Visit) -> Response:
        """The archive."""
        tenant = self._gate.tenant(visit)
        given = {name: value for name, value in visit.form.items() if name != "proof" and value}
        try:
            asked = read(PackAsked, given | {"tenant": tenant})
        except BadParameters as wrong:
            return self._form(visit, tenant, given, wrong)
        return guarded(self._packs.packed(asked, visit.principal.actor))

    def _form(
        self, visit: Visit, tenant: str, given: dict[str, str], wrong: BadParameters | None
    ) -> Response:
        return self._gate.pages.page(
            visit,
            "export.html",
            tenant,
            status=wrong.status if wrong else 200,
            fields=list(fields(PackAsked, given)),
            wrong=wrong.detail if wrong else None,
        )
