"""The list of alerts follows what happens, without a reload, and keeps its place."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewPage
from tests.browser.site import Site
from tests.workers.console.seen import named, see
from workers.alerts.engine import AlertEngine
from workers.alerts.rule_store import RuleStore
from workers.alerts.rules import Kind, Rule, When
from workers.console.access.roles import Role

pytestmark = pytest.mark.browser

_SOON_MS = 30_000


def test_a_new_alert_appears_and_the_keys_stay_where_they_were(
    site: Site, new_page: NewPage, tmp_path: Path
) -> None:
    world, now_ns = site.world, site.world.clock.now_ns
    RuleStore(world.database, now_ns=now_ns).add(Rule("", "known people", When(Kind.KNOWN)))
    engine = AlertEngine(world.database, UTC, now_ns=now_ns)
    people = [world.enroll(tmp_path, name, number) for number, name in enumerate(("Ada", "Grace"), 1)]
    first, second = (
        see(world, f"alert-{number}", number, **named(person), camera_id="gate")
        for number, person in enumerate(people, 1)
    )
    engine.write([first])
    page = new_page(Role.ADMINISTRATOR).open("/alerts")
    rows = page.locator("[data-part=list] tbody tr")
    expect(rows).to_have_count(1)
    page.keyboard.press("j")
    before = looks(site)
    page.wait_for_timeout(7_000)
    assert looks(site) == before, "nobody was looked at, so nothing is recorded"

    engine.write([second])
    expect(rows).to_have_count(2, timeout=_SOON_MS)
    expect(page.locator("[data-part=calls]")).to_have_text("2 wait for somebody.")
    expect(page.locator("nav [aria-current] .count")).to_have_text("open: 2")
    assert page.title().startswith("2 open alerts")
    here = page.locator("tr.here")
    expect(here).to_contain_text("Ada")
    expect(here.locator("a")).to_be_focused()
    assert looks(site) == before + 1


def looks(site: Site) -> int:
    """How often the list was recorded as looked at."""
    return site.world.record.what().count("alerts listed")


def test_a_list_that_may_be_old_says_so(site: Site, new_page: NewPage) -> None:
    shown = new_page(Role.ADMINISTRATOR)
    page = shown.open("/alerts")
    page.route("**/api/v1/alerts/changes", lambda route: route.abort())
    expect(page.locator("[data-stale]")).to_have_text(
        "The console cannot be reached: what follows may be old.", timeout=_SOON_MS
    )
    page.unroute("**/api/v1/alerts/changes")
    expect(page.locator("[data-stale]")).to_have_text("", timeout=_SOON_MS)
    shown.forgive("net::ERR_FAILED")
