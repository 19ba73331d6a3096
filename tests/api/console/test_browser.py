"""The console in a real browser: with scripts and without, by the keyboard, light and dark; contrast is measured."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Literal
from uuid import UUID

import pytest
from playwright.async_api import Page
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.access import FITS
from ledger.asked import keep_rules
from ledger.engine import Pool
from ledger.receive import Fact, receive
from ledger.seal import seal, sealing
from ledger.visit import visit
from runtime.configuration import compiled
from settings import Settings, Store
from settings.query import Role
from tests.api.console.browsers import browsing
from tests.api.console.verified import SIGNER, verified
from tests.api.query.asking import TWO_TENANTS, Desk, make
from tests.commands.stored import ended
from tests.support import delivery, validation, write_configuration

PICTURES = os.environ.get("HOOKLEDGER_PICTURES")
"""A directory for pictures of every page, for whoever wants to look at them."""
OF = "/console/of/as100"
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()


@asynccontextmanager
async def _page(
    desk: Desk, role: Role = "operator", scheme: Literal["light", "dark"] = "light", *, scripts: bool = True
) -> AsyncGenerator[Page]:
    """Somebody who has signed in. Whatever the policy of the page forbade fails the test."""
    text, _ = await make(desk.settings, role, "as100", life=timedelta(hours=1))
    async with browsing() as browser:
        context = await browser.new_context(
            base_url=str(desk.http.base_url),
            color_scheme=scheme,
            java_script_enabled=scripts,
            viewport={"width": 1360, "height": 900},
        )
        page = await context.new_page()
        said: list[str] = []
        page.on("console", lambda line: said.append(line.text))
        page.on("pageerror", lambda wrong: said.append(str(wrong)))
        await page.goto("/console")
        await page.get_by_label("Key").fill(text)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("heading", name="Overview").wait_for()
        yield page
        assert said == []


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    """A tenant in India, and a Temporal UI somewhere."""
    (tmp_path / "as200.key").write_text(f"as200 {'k' * 48}")
    query = '[query]\nrate = 1000\nburst = 1000\n[query.console]\ntemporal_ui = "https://temporal.example"\n'
    rules = '[tenants.as100.rules]\nmode = "on"\nzone = "Asia/Kolkata"'
    return write_configuration(tmp_path, store, query + TWO_TENANTS, rules=rules)


@pytest.fixture
async def world(pool: Pool, engine: AsyncEngine, store: Store, settings: Settings) -> UUID:
    """A small company of two days, sealed and verified, with its brake on; the receipt of a refusal."""
    people = ("asha.example", "ravi.example", "meera.example", "tomas.example")
    for number, login in enumerate(people):
        for hook in ("validateUser", "postCreateUser", "preProvision", "postProvision", "postUpdateUser"):
            application = ("crm", "hr", "mailbox")[number % 3] if "rovision" in hook else None
            await receive(pool, delivery(login, hook, actor="hr.admin", application=application))
    for number in range(69):
        await receive(pool, delivery("asha.example", "postUpdateUser", actor=f"hr.clerk{number % 3}"))
    await ended(pool, engine, "ravi.example", "failed", "the mail server answered 550 5.1.1")
    await ended(pool, engine, "meera.example", "failed", "no answer within 30 s", held=True)
    await ended(pool, engine, "tomas.example", "refused", "no mailbox of that name")
    await pool.execute(
        "INSERT INTO entitlements (tenant, subject, application, role, state, since, opened_by) SELECT s.tenant, s.id,"
        " 'crm', '', 'granted', now() - interval '1 minute', d.id FROM subjects s JOIN deliveries d"
        " ON d.subject = s.id AND d.hook = 'postProvision'"
    )
    async with visit(
        Store(url=store.owner_url or "")
    ) as connection:  # nobody else may, and it makes a better picture
        for statement in (
            "ALTER TABLE deliveries DISABLE TRIGGER ALL",
            "UPDATE deliveries SET received_at = received_at - interval '7 minutes' * (seq * seq % 190)",
            "ALTER TABLE deliveries ENABLE TRIGGER ALL",
        ):
            await connection.exec_driver_sql(statement)
    await pool.execute("INSERT INTO brakes (tenant, stopped_at) VALUES ('as100', now() - interval '1 hour')")
    email = [("email", "asha@example.com")]
    fact = Fact("ACTIVE", left=False, archived=False, version=None, updated=None)
    await receive(pool, delivery("asha.example", "postUpdateUser", values=email, fact=True, identity=fact))
    body = '{"request": {"user": {"login": "asha.two", "email": "asha@example.com"}}}'
    refused = validation("asha.two", values=email, body=body)
    policy = compiled(settings)["as100"]
    await keep_rules(pool, "as100", policy.hash, policy.text)
    await receive(pool, replace(refused, rules_hash=policy.hash))
    async with sealing(store) as connection:
        step = await seal(connection, SIGNER, [SIGNER.verifier])
    await verified(engine, FITS, step.sealed, 0)
    return refused.id


async def _look(page: Page, name: str, scheme: str) -> None:
    """Measures the page; and takes its picture if somebody wants to see it."""
    assert await page.evaluate(CONTRAST) == [], f"{name}, {scheme}: text that is hard to read"
    width = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width == 0, f"{name} is wider than its window"
    unlabelled = await page.evaluate(
        "[...document.querySelectorAll('input:not([type=hidden]), select, textarea')]"
        ".filter(e => !e.labels.length && !e.ariaLabel).map(e => e.name)"
    )
    assert unlabelled == []
    assert await page.locator("h1").count() >= 1
    assert await page.locator("table:not(:has(caption))").count() == 0
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}-{scheme}.png", full_page=False)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_can_be_read(desk: Desk, world: UUID, scheme: Literal["light", "dark"]) -> None:
    async with _page(desk, scheme=scheme) as page:
        await _look(page, "overview", scheme)
        await page.get_by_label("Find a person").fill("ravi.example")
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="ravi.example").wait_for()
        assert "ravi" not in page.url
        link = await page.get_by_role("link", name="in the Temporal UI").get_attribute("href")
        assert link is not None
        assert link.startswith("https://temporal.example/namespaces/default/workflows/user-lifecycle")
        assert "IST" in await page.locator(".story").inner_text()
        await _look(page, "person", scheme)
        await page.get_by_role("link", name="Who had an application").click()
        await page.get_by_label("Application").fill("crm")
        await page.locator("#f-on").fill(await page.evaluate("new Date().toISOString().slice(0, 10)"))
        await page.get_by_role("button", name="Ask").click()
        await page.get_by_role("link", name="asha.example").first.wait_for()
        await _look(page, "question", scheme)
        await page.get_by_role("link", name="Failures: redrive, skip").click()
        await _look(page, "failures", scheme)
        await page.get_by_label("all that there are").check()
        await page.get_by_label("Reason").fill("the mail server is back")
        await page.get_by_role("button", name="Redrive…").click()
        await page.get_by_role("heading", name="Redrive 3 pieces of work?").wait_for()
        await _look(page, "weigh", scheme)
        await page.get_by_role("link", name="Evidence: checkpoints").click()
        await page.get_by_role("heading", name="What evidences the ledger").wait_for()
        await _look(page, "evidence", scheme)
        await page.get_by_role("link", name="A decision explained").click()
        await page.get_by_label("receipt").fill(str(world))
        await page.get_by_role("button", name="Explain").click()
        await page.get_by_role("heading", name="validateUser").wait_for()
        await _look(page, "decision", scheme)
        await page.set_viewport_size({"width": 400, "height": 800})
        await page.goto(OF)
        await _look(page, "overview-narrow", scheme)
        await page.goto(f"{OF}/failures")
        await _look(page, "failures-narrow", scheme)
        await page.get_by_role("button", name="Sign out").click()
        await page.set_viewport_size({"width": 1360, "height": 900})
        await page.get_by_role("heading", name="Sign in").wait_for()
        await _look(page, "sign-in", scheme)


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("scripts", [True, False])
async def test_the_next_rows_come_with_scripts_and_without(desk: Desk, *, scripts: bool) -> None:
    async with _page(desk, scripts=scripts) as page:
        await page.goto(f"{OF}/ask/person")
        await page.locator("main").get_by_label("Person").fill("asha.example")
        await page.get_by_role("button", name="Ask").click()
        await page.locator("#rows tr").nth(49).wait_for()
        address = page.url
        await page.get_by_role("link", name="The next rows").click()
        if scripts:
            await page.locator("#rows tr").nth(74).wait_for()
            assert page.url == address
            assert await page.locator("#rows tr").count() == 75
            assert await page.get_by_role("link", name="The next rows").count() == 0
        else:
            await page.wait_for_url(lambda url: url != address)
            assert await page.locator("#rows tr").count() == 25


@pytest.mark.usefixtures("world")
async def test_files_are_downloaded(desk: Desk) -> None:
    async with _page(desk, "auditor") as page:
        await page.goto(f"{OF}/ask/failures")
        async with page.expect_download() as coming:
            await page.get_by_role("link", name="All rows as CSV").click()
        download = await coming.value
        assert download.suggested_filename == "failures.csv"
        assert len(Path(await download.path()).read_text().splitlines()) == 4


@pytest.mark.usefixtures("world")
async def test_the_keyboard_reaches_the_content_first_and_shows_where_it_is(desk: Desk) -> None:
    async with _page(desk) as page:
        await page.goto(OF)
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.className") == "skip"
        assert await page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        inside = "document.querySelector('main').contains(document.activeElement)"
        assert await page.evaluate(inside)
        assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        landmarks = ["banner", "navigation", "main", "contentinfo", "search"]
        assert [await page.get_by_role(role).count() for role in landmarks] == [1] * 5  # pyright: ignore[reportArgumentType]


async def test_no_script_of_a_page_runs_but_ours(desk: Desk, pool: Pool) -> None:
    markup = "<img src=x onerror=document.title='run'><script>document.title='run'</script>"
    await receive(pool, delivery(markup, "postCreateUser", actor=markup))
    async with _page(desk) as page:
        await page.get_by_label("Find a person").fill(markup)
        await page.get_by_role("button", name="Find").click()
        await page.locator(".story").wait_for()
        assert await page.title() != "run"
        assert markup in await page.locator("h1").inner_text()
        # htmx remembers addresses, which are sealed, and must remember no pages.
        kept = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
        assert "onerror" not in kept
        assert len(kept) < 1000
