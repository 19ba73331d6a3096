"""Signing in and out: cookies, proofs of forms, ends of sessions, headers of every page."""

import re
from datetime import timedelta

import httpx
import pytest

from ledger.engine import Pool
from ledger.keys import revoke_key
from ledger.visit import visit
from runtime.deeds import order
from settings import Store
from tests.api.console.visiting import proof, signed_in, text_of, visiting
from tests.api.query.asking import Desk, make
from tests.support import rows

HOME = "/console/of/as100"


async def _cookie(answer: httpx.Response, name: str) -> dict[str, str]:
    [header] = [h for h in answer.headers.get_list("set-cookie") if h.startswith(name)]
    value, *flags = header.split("; ")
    return {
        "value": value.partition("=")[2],
        **{f.partition("=")[0].lower(): f.partition("=")[2] for f in flags},
    }


async def _signing_in(desk: Desk, key: str, **headers: str) -> httpx.Response:
    """The answer to the form itself, which sets the cookie."""
    async with visiting(desk) as visitor:
        shown = await visitor.http.get("/console/sign-in", headers=headers)
        sent = {"proof": proof(shown), "key": key}
        jar = {
            h.partition("=")[0]: h.partition("=")[2].partition(";")[0]
            for h in shown.headers.get_list("set-cookie")
        }
        visitor.http.cookies.clear()
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        return await visitor.http.post("/console/sign-in", data=sent, headers=headers)


async def test_who_has_not_signed_in_is_led_there_and_back(desk: Desk) -> None:
    text, _ = await make(desk.settings, "auditor", "as100")
    async with visiting(desk) as visitor:
        sent = await visitor.http.get(f"{HOME}/ask/totals?all=1")
        assert sent.status_code == 303
        assert sent.headers["location"].startswith("/console/sign-in?next=")
        shown = await visitor.get(sent.headers["location"])
        assert 'value="/console/of/as100/ask/totals?all=1"' in shown.text
        back = await visitor.post(
            "/console/sign-in", proof=proof(shown), key=f" {text}\n", next=f"{HOME}/ask/totals?all=1"
        )

    assert (back.url.path, back.url.query) == (f"{HOME}/ask/totals", b"all=1")
    assert back.status_code == 200


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/console/of/../../x\\",
        "/ledger",
        "/console/sign-out",
        "javascript:x",
    ],
)
async def test_nobody_is_led_elsewhere(desk: Desk, elsewhere: str) -> None:
    text, _ = await make(desk.settings, "auditor", "as100")
    async with visiting(desk) as visitor:
        shown = await visitor.http.get("/console/sign-in", params={"next": elsewhere})
        assert "evil" not in shown.text
        sent = {"proof": proof(shown), "key": text, "next": elsewhere}
        answer = await visitor.http.post("/console/sign-in", data=sent)

    assert (answer.status_code, answer.headers["location"]) == (303, "/console")


async def test_the_cookie_is_for_no_script_and_under_tls_for_this_host_alone(desk: Desk) -> None:
    text, _ = await make(desk.settings, "auditor", "as100")

    plain = await _cookie(await _signing_in(desk, text), "hookledger-session")
    tls = await _cookie(
        await _signing_in(desk, text, **{"X-Forwarded-Proto": "https"}), "__Host-hookledger-session"
    )

    assert plain.keys() == {"value", "httponly", "path", "samesite"}
    assert tls.keys() == {"value", "httponly", "path", "samesite", "secure"}
    assert (tls["path"], tls["samesite"]) == ("/", "lax")
    assert len(tls["value"]) == 43
    assert text not in str(plain) + str(tls)


async def test_a_session_is_kept_as_a_hash_and_is_another_after_each_sign_in(desk: Desk, pool: Pool) -> None:
    text, key = await make(desk.settings, "auditor", "as100")
    async with visiting(desk) as visitor:
        await visitor.sign_in(text)
        first = visitor.http.cookies["hookledger-session"]
        [kept] = await rows(pool, "SELECT actor, key, encode(hash, 'escape') AS hash FROM sessions")
        assert (kept["actor"], kept["key"]) == (f"key:{key.id}", key.id)
        assert first not in kept["hash"]
        await visitor.send(HOME, "/console/sign-out")
        visitor.http.cookies.set("hookledger-session", first, "127.0.0.1")
        stale = await visitor.http.get(HOME)
        await visitor.sign_in(text)
        second = visitor.http.cookies["hookledger-session"]

    assert stale.status_code == 303
    assert first != second


async def test_a_cookie_that_somebody_planted_is_not_taken_over(desk: Desk) -> None:
    """Session fixation."""
    text, _ = await make(desk.settings, "auditor", "as100")
    planted = "p" * 43
    async with visiting(desk) as visitor:
        visitor.http.cookies.set("hookledger-session", planted, "127.0.0.1")
        await visitor.sign_in(text)
        assert visitor.http.cookies.get("hookledger-session", domain="127.0.0.1") != planted
    async with visiting(desk) as thief:
        thief.http.cookies.set("hookledger-session", planted, "127.0.0.1")
        assert (await thief.http.get(HOME)).status_code == 303


async def test_a_session_ends_with_its_key_at_once(desk: Desk) -> None:
    text, key = await make(desk.settings, "auditor", "as100")
    async with visiting(desk) as visitor:
        await visitor.sign_in(text)
        assert (await visitor.http.get(HOME)).status_code == 200
        async with visit(desk.settings.store) as connection:
            await revoke_key(
                connection,
                key.id,
                None,
                desk.settings.tenants,
                lambda tenant: order("key revoked", "os:tester", "it leaked", tenant=tenant),
            )
        assert (await visitor.http.get(HOME)).status_code == 303


@pytest.mark.parametrize("change", ["seen_at = now() - interval '31 minutes'", "ends_at = now()"])
async def test_a_session_ends_when_nobody_looks_and_at_the_latest_after_hours(
    desk: Desk, pool: Pool, change: str
) -> None:
    async with signed_in(desk, "auditor", "as100") as visitor:
        [kept] = await rows(pool, "SELECT ends_at - made_at = interval '8 hours' AS right FROM sessions")
        assert kept["right"]
        owner = Store(url=desk.settings.store.owner_url or "")
        async with visit(owner) as connection:
            await connection.exec_driver_sql(f"UPDATE sessions SET {change}")
        assert (await visitor.http.get(HOME)).status_code == 303


async def test_looking_at_pages_keeps_a_session(desk: Desk, pool: Pool) -> None:
    async with signed_in(desk, "auditor", "as100") as visitor:
        await pool.execute("UPDATE sessions SET seen_at = now() - interval '29 minutes'")
        await visitor.get(HOME)
        [kept] = await rows(pool, "SELECT seen_at > now() - interval '1 minute' AS fresh FROM sessions")

    assert kept["fresh"]


async def test_a_key_that_is_not_good_lets_nobody_in_and_is_not_repeated(desk: Desk) -> None:
    expired, _ = await make(desk.settings, "auditor", "as100", life=timedelta(seconds=0))
    whole, _ = await make(desk.settings, "auditor", "as100")
    async with visiting(desk) as visitor:
        for key, words in (
            (expired, "The key is expired"),
            (whole[:-1], "The key is not whole"),
            ("", "The key is not whole"),
            ("<script>alert(1)</script>", "The key is not whole"),
        ):
            page = await visitor.sign_in(key)
            assert page.status_code == 401
            assert words in text_of(page)
            assert not key or key not in page.text


async def test_a_form_without_its_proof_or_from_elsewhere_does_nothing(desk: Desk, pool: Pool) -> None:
    async with signed_in(desk, "operator", "as100") as visitor, signed_in(desk, "operator", "as100") as other:
        foreign = proof(await other.get(HOME))
        own = proof(await visitor.get(HOME))
        for form, headers in (
            ({"other": "1"}, {}),
            ({"proof": ""}, {}),
            ({"proof": foreign}, {}),
            ({"proof": own[:-1]}, {}),
            ({"proof": "é"}, {}),
            ({"proof": own}, {"Sec-Fetch-Site": "cross-site"}),
            ({"proof": own}, {"Sec-Fetch-Site": "same-site"}),
        ):
            for path in ("/console/sign-out", f"{HOME}/failures/do", f"{HOME}/ask/totals", f"{HOME}/person"):
                answer = await visitor.http.post(path, data=form, headers=headers)
                assert answer.status_code == 403, (path, form)
        json_ = await visitor.http.post("/console/sign-out", json={"proof": own})
        many = await visitor.http.post("/console/sign-out", data={"proof": own, "x": ["1"] * 5000})
        large = await visitor.http.post("/console/sign-out", data={"proof": own, "x": "x" * 300_000})
        assert [a.status_code for a in (json_, many, large)] == [415, 400, 413]
        assert (await visitor.http.get(HOME)).status_code == 200
        assert len(await rows(pool, "SELECT 1 FROM sessions")) == 2


async def test_signing_somebody_in_as_another_needs_their_browser(desk: Desk) -> None:
    """Login CSRF: the form is bound to a cookie that another site cannot give."""
    text, _ = await make(desk.settings, "auditor", "as100")
    async with visiting(desk) as attacker, visiting(desk) as victim:
        theirs = proof(await attacker.get("/console/sign-in"))
        bare = await victim.post("/console/sign-in", proof=theirs, key=text)
        await victim.get("/console/sign-in")
        mixed = await victim.post("/console/sign-in", proof=theirs, key=text)

    assert (bare.status_code, mixed.status_code) == (403, 403)


@pytest.mark.parametrize(
    "path",
    ["/console/sign-in", HOME, "/console/nothing", f"{HOME}/ask/person", "/console/static/console.css"],
)
async def test_every_answer_forbids_what_pages_do_not_need(desk: Desk, path: str) -> None:
    async with signed_in(desk, "auditor", "as100") as visitor:
        await visitor.send(HOME, "/console/sign-out") if "sign-in" in path else None
        answer = await visitor.http.get(path)
    parts = [part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";")]
    policy = {name: value for name, _, value in parts}

    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    if "static" in path:
        assert "immutable" in answer.headers["cache-control"]
    else:
        assert answer.headers["cache-control"] == "no-store"
        assert "<style" not in answer.text
        assert " style=" not in answer.text
        assert not re.search(r"<[^>]+\son\w+=", answer.text)
        assert answer.text.count("<script") == 1 == answer.text.count("<script src=")
