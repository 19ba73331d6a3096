"""Users of a real identity provider at the console: there and back, and only who was sent."""

from pathlib import Path

import pytest

from settings import Store
from tests.api.console.visiting import text_of
from tests.api.query.asking import configure, listen
from tests.api.query.providers import BACK, running
from tests.support import Servers

HOST = {"Host": BACK.split("/")[2]}
"""The provider knows but one address to send people back to."""


async def test_a_user_signs_in_at_the_provider(
    servers: Servers, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    (tmp_path / "client.secret").write_text("a secret of tests+/%")
    with running(tmp_path) as provider:
        settings = configure(
            tmp_path,
            store,
            f"""
[query.oidc]
issuer = "{provider.issuer}"
client_id = "hookledger"
client_secret = {{ file = "client.secret" }}
grants = [{{ value = "ledger-operators", role = "operator", tenant = "as100" }}]
""",
        )
        async with listen(settings) as desk:
            form = await desk.http.get("/console/sign-in")
            assert "Sign in with your organisation" in form.text
            left = await desk.http.get(
                "/console/sign-in/provider?next=/console/of/as100/failures", headers=HOST
            )
            assert left.status_code == 303
            kept = left.headers["set-cookie"].partition(";")[0]
            assert "verifier" not in kept
            back = provider.sign_in(left.headers["location"], "operator.asha").removeprefix(
                BACK.rpartition("/console")[0]
            )

            desk.http.cookies.clear()
            stolen = await desk.http.get(back, headers=HOST)
            assert stolen.status_code == 400
            assert "not begun in this browser" in text_of(stolen)
            desk.http.cookies.clear()
            wrong = await desk.http.get(back.replace("state=", "state=x"), headers={**HOST, "Cookie": kept})
            assert wrong.status_code == 401
            desk.http.cookies.clear()
            came = await desk.http.get(back, headers={**HOST, "Cookie": kept})
            assert (came.status_code, came.headers["location"]) == (303, "/console/of/as100/failures")
            session = next(
                c for c in came.headers.get_list("set-cookie") if c.startswith("hookledger-session")
            )
            desk.http.cookies.clear()
            page = await desk.http.get(
                came.headers["location"], headers={"Cookie": session.partition(";")[0]}
            )
            assert page.status_code == 200
            assert "oidc:operator.asha" in page.text
            other = await desk.http.get("/console/of/as200", headers={"Cookie": session.partition(";")[0]})
            assert other.status_code == 404
