"""Adding one thing touches one place: a file is dropped into a copy of the tree, and a fresh process looks."""

from pathlib import Path

import pytest

from settings import Store
from tests.api.edge import configure
from tests.architecture.tree import PACKAGES, ROOT, Tree, copy, parsed, sources
from tests.support import Servers

HOOK = '''"""A hook that a later release of the platform brings."""

from hooks.hook import SAMPLE_USER, Hook

HOOK = Hook(name="postMoveUser", purpose="Tells that a user has moved.", sample={"user": SAMPLE_USER})
'''
ACTIVITY = '''"""Orders a badge for a new person."""

from activities import Event, Hook, Outcome, Tools, activity


@activity(on=Hook.POST_CREATE_USER, when='request.user.userType == "Employee"')
async def order_badge(event: Event, tools: Tools) -> Outcome:
    return Outcome("ordered")
'''
SEE_HOOK = """
import json
from fastapi import FastAPI
from hooks import Hook, by_name
from api.routes import add_hooks
from activities._activity import activity

app = FastAPI()
add_hooks(app, "/webhook", None)
print(json.dumps({
    "paths": list(app.openapi()["paths"]),
    "known": by_name()["postmoveuser"].purpose,
    "constant": Hook.POST_MOVE_USER.name,
}))
"""
SEE_ACTIVITY = """
import asyncio, json
from settings import load
from hooks import Hook
from activities._planning import Planner
from activities._registry import registry
from runtime.client import connect
from runtime.worker import assemble
from temporalio import activity

async def registered(settings):
    client = await connect(lazy=False)
    async with assemble(settings, client) as parts:
        return [getattr(a, "__temporal_activity_definition").name for a in parts.worker.config()["activities"]]

settings = load()
planner = Planner(settings.activities)
request = {"user": {"login": "asha", "userType": "Employee"}}
guest = {"user": {"login": "asha", "userType": "Guest"}}
print(json.dumps({
    "purpose": registry()["order_badge"].purpose,
    "planned": [w.activity for w in planner.plan(Hook.POST_CREATE_USER, request, "as100")],
    "for a guest": [w.activity for w in planner.plan(Hook.POST_CREATE_USER, guest, "as100")],
    "registered": asyncio.run(registered(settings)),
}))
"""
DECISION = '''"""Refuses everybody on a Sunday."""

from decisions import Asked, DecisionTools, decision


@decision
async def closed_on_sundays(asked: Asked, tools: DecisionTools) -> bool:
    return True
'''
SEE_DECISION = """
import json
from runtime.configuration import compiled, load_checked

policies = compiled(load_checked())
print(json.dumps([rule.decision.name for rule in policies["as100"].python["validateUser"]]))
"""
SUNDAYS = """
[tenants.as100.rules]
[[tenants.as100.rules.validate]]
name = "sundays"
python = "closed_on_sundays"
code = "ClosedOnSundays"
"""
QUESTION = '''"""Which brakes are on."""

from ledger.questions.parameters import Parameters
from ledger.questions.question import Column, Question

QUESTION = Question(
    name="brakes",
    title="The brakes that are on",
    words="A brake stops removals of access.",
    parameters=Parameters,
    columns=(Column("stopped_at", "time", "Since when removals are stopped."),),
    key=("stopped_at",),
    personal=False,
    sql="""
        SELECT b.stopped_at FROM brakes b WHERE b.tenant = :tenant AND b.stopped_at > :after_stopped_at
         ORDER BY b.stopped_at LIMIT :limit
    """,
)
'''
SEE_QUESTION = """
import json
from typer.testing import CliRunner
from cli import app
from ledger.questions import questions
print(json.dumps({
    "list": CliRunner().invoke(app, ["ledger", "--help"]).output,
    "help": CliRunner().invoke(app, ["ledger", "brakes", "--help"]).output,
    "columns": [column.description.rstrip(".") for column in questions()["brakes"].columns],
}))
"""
SEE_LIST = """
import io, json, contextlib
from typer.testing import CliRunner
from cli import app
print(json.dumps({"text": CliRunner().invoke(app, ["activities"]).output}))
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """The copy that the module's tests drop their files into."""
    return copy(tmp_path_factory.mktemp("tree"))


def test_a_decision_is_one_file(tree: Tree, store: Store, tmp_path: Path) -> None:
    tree.drop("decisions/closed_on_sundays.py", DECISION)
    configure(tmp_path, store, rules=SUNDAYS)

    assert tree.look(SEE_DECISION, HOOKLEDGER_CONFIG=str(tmp_path / "hookledger.toml")) == [
        "closed_on_sundays"
    ]


def test_a_hook_is_one_file(tree: Tree) -> None:
    tree.drop("hooks/post_move_user.py", HOOK)

    seen = tree.look(SEE_HOOK)

    assert "/webhook/postMoveUser" in seen["paths"]
    assert seen["known"] == "Tells that a user has moved."
    assert seen["constant"] == "postMoveUser"


def test_an_activity_is_one_file(tree: Tree, servers: Servers, store: Store, tmp_path: Path) -> None:
    tree.drop("activities/order_badge.py", ACTIVITY)
    configure(tmp_path, store)
    told = {"HOOKLEDGER_CONFIG": str(tmp_path / "hookledger.toml"), "TEMPORAL_ADDRESS": servers.temporal}

    seen = tree.look(SEE_ACTIVITY, **told)

    assert seen["purpose"] == "Orders a badge for a new person."
    assert "order_badge" in seen["planned"]
    assert "order_badge" not in seen["for a guest"]
    assert "order_badge" in seen["registered"]
    listed = tree.look(SEE_LIST, **told)["text"]
    assert "order_badge" in listed
    assert "postCreateUser" in listed


def test_a_question_is_one_file(tree: Tree) -> None:
    tree.drop("ledger/questions/brakes.py", QUESTION)

    seen = tree.look(SEE_QUESTION)

    assert "The brakes that are on" in seen["list"]
    assert "--tenant" in seen["help"]
    assert "Since when removals are stopped" in seen["columns"]


def test_a_search_attribute_is_one_file(tree: Tree) -> None:
    """Servers, worker's probe and ringing read one list; its names stand nowhere else."""
    tree.change("runtime/attributes.py", "for key in (TENANT, LOGIN)", "for key in (TENANT, LOGIN, *MORE)")
    tree.change("runtime/attributes.py", "SEARCH_ATTRIBUTES:", 'MORE = [SearchAttributeKey.for_keyword("Site")]\n\nSEARCH_ATTRIBUTES:')  # fmt: skip
    seen = tree.look(
        "import json, dev.stack, runtime.worker as w, runtime.attributes as a;"
        "print(json.dumps([a.SEARCH_ATTRIBUTES, w.SEARCH_ATTRIBUTES is a.SEARCH_ATTRIBUTES]))"
    )
    assert seen == [{"TenantId": "Keyword", "Login": "Keyword", "Site": "Keyword"}, True]

    ours = sources(*(package for package in PACKAGES if package != "bench"))
    naming = [path for path in ours if '"TenantId"' in path.read_text(encoding="utf-8")]
    assert naming == [ROOT / "runtime/attributes.py"]


ERROR = '''

class Frozen(Problem):
    """The person's record is frozen."""

    def __init__(self) -> None:
        super().__init__(423, "frozen", "The record is frozen.")
'''
SEE_ERROR = """
import asyncio, json, httpx, os
os.environ["TEMPORAL_ADDRESS"] = "127.0.0.1:1"
from settings import load
from api import problems, receive
from api.app import make_app
from api.auth import mint

def frozen(*_):
    raise problems.Frozen

receive.request_of = frozen

async def main():
    settings = load()
    app = make_app(settings)
    inner = next(v for v in vars(app).values() if hasattr(v, "router"))
    async with inner.router.lifespan_context(inner):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
            headers = {"Authorization": "Bearer " + mint("as100", settings)}
            got = await http.post("/webhook/test", headers=headers, json={})
        return [got.status_code, got.headers["content-type"], {k: v for k, v in got.json().items() if k != "receipt"}]

print(json.dumps(asyncio.run(main())))
"""


def test_an_error_is_one_class_and_one_row(tree: Tree, store: Store, tmp_path: Path) -> None:
    tree.change("api/problems.py", "\n\ndef respond(", f"{ERROR}\n\ndef respond(")
    tree.change("api/problems.py", "_TITLES = {", '_TITLES = {\n    423: "Locked",')
    configure(tmp_path, store)

    seen = tree.look(SEE_ERROR, HOOKLEDGER_CONFIG=str(tmp_path / "hookledger.toml"))

    assert seen[:2] == [423, "application/problem+json"]
    assert seen[2] == {
        "type": "urn:hookledger:problem:frozen",
        "title": "Locked",
        "status": 423,
        "detail": "The record is frozen.",
    }


def test_every_status_that_is_raised_has_its_row() -> None:
    import ast

    from api.problems import _TITLES  # pyright: ignore[reportPrivateUsage]

    raised: set[int] = set()
    for path in sources("api"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem":
                match node.args[0]:
                    case ast.Constant(value=int(status)):
                        raised.add(status)
                    case _:
                        pass
    assert {400, 408, 413, 415, 422, 500, 503} <= raised
    assert raised <= set(_TITLES)
