"""Adds the console to the listener of questions: every address it has, and what answers there."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from api.console.asking import Asking
from api.console.brake import Brake
from api.console.decision import Decision
from api.console.evidence import Evidence
from api.console.export import Export
from api.console.failures import Failures
from api.console.gate import HOME, SIGN_IN, Gate, Visit
from api.console.overview import Overview
from api.console.pages import Pages
from api.console.person import PersonPages
from api.console.questions import QuestionPages
from api.console.requests import RequestPages
from api.console.session import Sessions
from api.console.signing_in import BACK, SigningIn
from api.problems import Problem
from api.query.bounds import Bounds, Exports
from api.query.cursor import Cursors
from api.query.door import Door
from api.query.oidc import Oidc
from api.query.packs import Packs
from ledger.engine import Engine
from ledger.questions import questions
from settings import Settings

_Endpoint = Callable[[Request], Awaitable[Response]]


def add_console(
    app: FastAPI,
    settings: Settings,
    bounds: Bounds,
    door: tuple[Door, Engine],
    engine: Engine,
    oidc: Oidc | None,
    packs: Packs,
    exports: Exports,
) -> None:
    """`door` with its engine, on which sessions are looked up: who is let in waits behind nobody who reads."""
    zones = {name: tenant.rules.zone for name, tenant in settings.tenants.items()}
    gate = Gate(
        Sessions(door[1], settings.query),
        bounds,
        Pages(questions().values(), zones),
        tuple(settings.tenants),
        settings.query.longest,
    )
    cursors = Cursors(settings.fingerprint_key)
    asking = Asking(engine, cursors)
    signing = SigningIn(gate, door[0], oidc, cursors)
    overview = Overview(gate, engine)
    asked = QuestionPages(gate, engine, asking, exports)
    person = PersonPages(gate, engine, asking, settings.query.console.temporal_ui)
    failures = Failures(gate, settings, engine, asking, cursors)
    requests = RequestPages(gate, settings, engine)
    brake = Brake(gate, settings, engine)
    decision = Decision(gate, engine)
    evidence = Evidence(gate, engine)
    export = Export(gate, packs)
    of = HOME + "/of/{tenant}"

    def add(method: str, path: str, endpoint: _Endpoint) -> None:
        app.add_route(path, endpoint, [method], include_in_schema=False)

    add("GET", HOME + "/static/{name}", gate.pages.file)
    add("GET", SIGN_IN, gate.page(signing.form, open_=True))
    add("POST", SIGN_IN, gate.page(signing.by_key, open_=True))
    add("GET", f"{SIGN_IN}/provider", gate.page(signing.leave, open_=True))
    add("GET", BACK, gate.page(signing.come_back, open_=True))
    add("POST", f"{HOME}/sign-out", gate.page(signing.leave_for_good))
    add("GET", HOME, gate.page(overview.home))
    add("GET", of, gate.page(overview.page))
    add("GET", of + "/ask/{question}", gate.page(asked.page))
    add("POST", of + "/ask/{question}", gate.page(asked.ask))
    add("GET", of + "/ask/{question}/{form}", gate.page(asked.export))
    add("GET", of + "/person", gate.page(person.page))
    add("POST", of + "/person", gate.page(person.find))
    add("GET", of + "/failures", gate.page(failures.page))
    add("POST", of + "/failures/weigh", gate.page(failures.weigh))
    add("POST", of + "/failures/do", gate.page(failures.act))
    add("POST", of + "/brake", gate.page(brake.release))
    add("GET", of + "/requests", gate.page(requests.page))
    add("POST", of + "/requests", gate.page(requests.close))
    add("GET", of + "/why", gate.page(decision.form))
    add("GET", of + "/why/{receipt}", gate.page(decision.page))
    add("GET", of + "/evidence", gate.page(evidence.page))
    add("GET", of + "/export", gate.page(export.form))
    add("POST", of + "/export", gate.page(export.pack))
    add("GET", HOME + "/{rest:path}", gate.page(_nothing, open_=True))


async def _nothing(_: Visit) -> Response:
    raise Problem(404, "not_found", "There is no such page.")
