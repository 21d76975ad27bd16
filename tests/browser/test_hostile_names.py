"""Names that would like to be script do nothing on any page, whoever chose them."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import FilePayload

from gallery.lists import WatchLists
from tests.browser.conftest import NewPage
from tests.browser.seed import Seeds, seed
from tests.browser.site import Site
from tests.browser.walk import pages_of
from tests.gallery.fakes import write_person
from tests.workers.console.seen import named, see
from workers.alerts.rule_store import RuleStore
from workers.alerts.rules import Kind, Rule, When
from workers.console.access.roles import Permission, Role

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SCRIPT = '"><img src=x onerror=alert(1)><script>alert(2)<\u2215script>'
TEMPLATE = "{{ 7919 * 7907 }}' onfocus=alert(3) autofocus x='"
BENT = "\u202eecarG\u200b \u2066reppoH"
"""Refused as a name; but cameras can say it."""
LONG = "W" * 200
HOSTILE = (SCRIPT, TEMPLATE, LONG)

_PLANTED = """
() => ({
  images: document.querySelectorAll("img[src='x'], [onerror], [onfocus]").length,
  scripts: [...document.scripts].filter((one) => !one.src).length,
  said: document.body.innerText,
})
"""


@pytest.fixture(scope="module")
def seeds(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Seeds:
    """A site on which everything that can be named is named so."""
    folder = tmp_path_factory.mktemp("photographs")
    made = seed(site, folder)
    _name_all(site, folder, made)
    return made


def _name_all(site: Site, folder: Path, seeds: Seeds) -> None:
    world = site.world
    people = [world.enroll(folder, name, 20 + number) for number, name in enumerate(HOSTILE)]
    for number, (name, person) in enumerate(zip(HOSTILE, people, strict=True)):
        lists = WatchLists(world.database, now_ns=world.clock.now_ns)
        lists.add(name, purpose=name, owner=name)
        lists.put(name, person)
        world.access.groups.add(name, [SCRIPT])
        user = world.access.users.add(name, Role.OPERATOR)
        world.access.tokens.issue(user.id, name, [Permission.READ_SIGHTINGS], 30)
        RuleStore(world.database, now_ns=world.clock.now_ns).add(Rule("", name, When(Kind.KNOWN)))
        see(world, f"hostile-{number}", 20 + number, **named(person), camera_id=SCRIPT, reason=SCRIPT)
    see(world, "hostile-bent", 20, **named(people[0]), camera_id=BENT, reason=BENT)
    seeds.values |= {"subject_id": people[0], "decision_id": "hostile-0"}
    seeds.values["sha256"] = world.gallery.templates(people[0])[0].photo.sha256


def test_no_page_runs_what_is_in_a_name(site: Site, seeds: Seeds, new_page: NewPage) -> None:
    shown = new_page(Role.ADMINISTRATOR)
    said = []
    for address, role in pages_of(site, seeds):
        if role is None:
            continue
        page = shown.open(address)
        planted = page.evaluate(_PLANTED)
        assert (planted["images"], planted["scripts"]) == (0, 0), address
        assert "62615533" not in planted["said"], address
        said.append(planted["said"])
    assert sum(SCRIPT in text for text in said) >= 4, "the name is on some pages, as it was typed"
    assert shown.dialogs == []


def test_questions_before_removing_say_the_name_as_it_is(site: Site, seeds: Seeds, new_page: NewPage) -> None:
    shown = new_page(Role.ADMINISTRATOR)
    page = shown.open(f"/people/{seeds.values['subject_id']}")
    shown.answer(False)
    page.locator("summary", has_text="Remove").click()
    page.locator("form[action$='/remove'] button.danger").click()
    assert shown.dialogs == [f"Remove {SCRIPT}?"]


def test_what_is_typed_into_addresses_is_only_text(site: Site, seeds: Seeds, new_page: NewPage) -> None:
    shown = new_page(Role.ADMINISTRATOR)
    typed = "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E"
    for path in (f"/people?search={typed}", f"/sightings?who={typed}", f"/people/enroll?name={typed}"):
        page = shown.open(path)
        assert page.locator(f'input[value={chr(39)}"><script>alert(1)</script>{chr(39)}]').count() >= 1


def test_a_file_can_be_called_anything(site: Site, seeds: Seeds, new_page: NewPage, tmp_path: Path) -> None:
    photo = write_person(tmp_path / "plain.png", 40).read_bytes()
    shown = new_page(Role.OPERATOR)
    page = shown.open("/people/enroll")
    name = "<img src=x onerror=alert(4)>.png"
    payload = FilePayload(name=name, mimeType="image/png", buffer=photo)
    page.locator("input[type=file]").set_input_files(payload)
    page.locator("[data-results] li.good").wait_for()
    assert name in page.locator("[data-results]").inner_text()
    assert page.locator("[data-results] img").count() == 0
