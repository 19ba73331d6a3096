"""A person: who they are now, what came about them and what became of it, with the way to their workflow."""

from dataclasses import replace
from urllib.parse import quote, urlencode

from starlette.responses import Response

from api.console.asking import Asking
from api.console.gate import HOME, Gate, Visit, to
from api.console.story import told
from api.query.parameters import BadParameters
from ledger.engine import Engine, reading
from ledger.questions import questions
from ledger.told import Somebody, somebodies, work_of

_ENTRIES = 200


class PersonPages:
    """Shows the answer of the question `person`, told by delivery; it is as much an entry as there."""

    def __init__(self, gate: Gate, engine: Engine, asking: Asking, temporal_ui: str) -> None:
        self._gate = gate
        self._engine = engine
        self._asking = asking
        self._question = questions()["person"]
        self._temporal_ui = temporal_ui

    async def find(self, visit: Visit) -> Response:
        """The form in the page's head: an address that does not tell whom it is about."""
        tenant = self._gate.tenant(visit)
        try:
            asked = self._asking.read(
                self._question, tenant, {"person": visit.form.get("person", "").strip()}
            )
        except BadParameters:
            return to(f"{HOME}/of/{tenant}/ask/{self._question.name}")
        sealed = self._asking.seal(self._question, tenant, asked)
        return to(f"{HOME}/of/{tenant}/person?{urlencode({'asked': sealed})}")

    async def page(self, visit: Visit) -> Response:
        """The story."""
        tenant = self._gate.tenant(visit)
        asked = self._asking.from_address(self._question, tenant, visit.request.query_params)
        if asked is None:
            return to(f"{HOME}/of/{tenant}/ask/{self._question.name}")
        asked, page = await self._asking.answer(self._question, asked, visit.principal.actor, _ENTRIES)
        async with reading(self._engine) as connection:
            people = await somebodies(connection, tenant, page.report.people or ())
            work = await work_of(connection, tenant, {row["delivery"] for row in page.rows})
        whole = replace(asked, after=None)
        sealed = self._asking.seal(self._question, tenant, whole)
        following = None
        if page.next is not None:
            further = self._asking.seal(self._question, tenant, replace(asked, after=page.next))
            following = f"?{urlencode({'asked': further})}"
        return self._gate.pages.page(
            visit,
            "person.html",
            tenant,
            people=people,
            links={person.subject: self._link(visit, person) for person in people},
            story=told(page.rows, work),
            page=page,
            further=asked.after is not None,
            start=f"?{urlencode({'asked': sealed})}",
            following=following,
            table=f"ask/{self._question.name}?{urlencode({'asked': sealed})}",
        )

    def _link(self, visit: Visit, person: Somebody) -> str | None:
        """The person's workflow in the Temporal UI; its newest run, or the list of all within the retention."""
        if not self._temporal_ui:
            return None
        namespace = quote(visit.request.app.state.temporal.namespace, safe="")
        workflow = quote(person.workflow_id, safe="")
        return f"{self._temporal_ui}/namespaces/{namespace}/workflows/{workflow}"
