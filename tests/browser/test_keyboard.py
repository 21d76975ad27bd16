"""A shift without a mouse: log in, find one's way, read, enroll, remove, log out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage
from tests.browser.seed import Seeds, seed
from tests.browser.site import Site
from tests.gallery.fakes import write_person
from tests.workers.console.world import PASSWORD
from workers.console.access.roles import Role
from workers.console.web.navigation import PLACES

pytestmark = pytest.mark.browser

ACCOUNT_KEY = "y"


@pytest.fixture(scope="module")
def seeds(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Seeds:
    return seed(site, tmp_path_factory.mktemp("photographs"))


def test_keys_lead_to_one_place_each() -> None:
    keys = [place.key for place in PLACES]
    assert len({*keys, ACCOUNT_KEY}) == len(keys) + 1


def test_logging_in_and_out(new_page: NewPage, site: Site) -> None:
    shown = new_page()
    page = shown.open("/people?search=ada")
    assert page.url == f"{site.origin}/login?next=/people%3Fsearch%3Dada"
    expect(page.get_by_label("Name")).to_be_focused()
    type_in(page, "operator", "not the password")
    expect(page.get_by_role("alert")).to_contain_text("not right")
    shown.forgive("401")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/people?search=ada")
    tab_to(page, "Log out")
    page.keyboard.press("Enter")
    page.wait_for_url("**/login")
    page.go_back()
    expect(page).to_have_url(re.compile("/login"))


def type_in(page: Page, name: str, password: str) -> None:
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")


def tab_to(page: Page, name: str, limit: int = 60) -> None:
    """Press Tab until the focus is on what is called `name`."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == name:
            return
    raise AssertionError(f"Tab does not reach {name}")


def test_the_content_is_one_key_away(new_page: NewPage, seeds: Seeds) -> None:
    page = new_page(Role.OPERATOR).open("/people")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_go_keys_lead_to_every_place(new_page: NewPage, seeds: Seeds) -> None:
    page = new_page(Role.ADMINISTRATOR).open("/account")
    for key, path in [*((place.key, place.path) for place in PLACES), (ACCOUNT_KEY, "/account")]:
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(re.compile(rf"//[^/]+{re.escape(path)}/?([?].*)?$"))
    page.keyboard.press("g")
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    assert page.url.endswith("/account"), "a key alone leads nowhere"


def test_rows_are_walked_and_opened(new_page: NewPage, seeds: Seeds) -> None:
    page = new_page(Role.OPERATOR).open("/people")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator("tr.here a[data-row]")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/people/{seeds.values['subject_id']}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ada Lovelace")
    page.keyboard.press("j")


def test_searching(new_page: NewPage, seeds: Seeds) -> None:
    page = new_page(Role.OPERATOR).open("/people")
    page.keyboard.press("/")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("gjk/?")
    expect(page.get_by_label("Name")).to_have_value("gjk/?")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nobody's name contains that.")).to_be_visible()


def test_the_list_of_keys_opens_and_closes(new_page: NewPage, seeds: Seeds) -> None:
    page = new_page(Role.OPERATOR).open("/people")
    dialog = page.get_by_role("dialog", name="Keys")
    page.keyboard.press("?")
    expect(dialog).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("s")
    assert page.url.endswith("/people"), "behind a dialog keys do nothing"
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    tab_to(page, "Keys ?")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()


def test_enrolling_and_removing(new_page: NewPage, seeds: Seeds, tmp_path: Path) -> None:
    shown = new_page(Role.OPERATOR)
    photo = write_person(tmp_path / "kj.png", 7)
    shown.page.on("filechooser", lambda chooser: chooser.set_files(photo))
    page = shown.open("/people/enroll")
    expect(page.get_by_role("textbox", name="Name")).to_be_focused()
    page.keyboard.type("Katherine Johnson")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Photographs")).to_be_focused()
    page.keyboard.press("Enter")
    result = page.locator("[data-results] li")
    expect(result).to_contain_text("kj.png: good")
    tab_to(page, "Enroll")
    page.keyboard.press("Enter")
    expect(result).to_contain_text("kj.png: enrolled")
    tab_to(page, "Show")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Katherine Johnson")
    tab_to(page, "Remove")
    page.keyboard.press("Enter")
    tab_to(page, "Remove Katherine Johnson")
    shown.answer(False)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Katherine Johnson")
    shown.answer(True)
    page.keyboard.press("Enter")
    page.wait_for_url("**/people")
    assert shown.dialogs == ["Remove Katherine Johnson?"] * 2
    expect(page.get_by_text("Katherine Johnson")).to_have_count(0)
