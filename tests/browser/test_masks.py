"""Privacy masks drawn over the picture of a camera: by mouse, finger and keyboard, and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from pipeline.region import Polygon
from tests.browser.conftest import NewPage
from tests.browser.site import Site
from tests.browser.watched import Watched
from tests.workers.console.http_camera import HttpCamera, streamable
from tests.workers.console.world import START_NS
from workers.camera_settings import Camera, make_camera
from workers.cameras import CameraStore
from workers.console.access.roles import Role

pytestmark = pytest.mark.browser

MASKS = "/cameras/gate/masks"


@pytest.fixture(scope="module")
def camera(assets: Path) -> Iterator[HttpCamera]:
    with HttpCamera(streamable(assets / "clips" / "crowd.mp4")) as running:
        yield running


@pytest.fixture
def store(site: Site, camera: HttpCamera) -> CameraStore:
    made = CameraStore(site.world.database)
    settings = {"name": "gate", "address": camera.address}
    made.add(make_camera(settings), START_NS, replace=True)
    return made


def opened(shown: Watched) -> Page:
    """The page of masks; the camera may take a while to answer."""
    shown.page.set_default_timeout(60_000)
    return shown.open(MASKS)


def ready(page: Page) -> Locator:
    """The drawing, when the picture is there."""
    page.wait_for_function("document.querySelector('[data-picture]').naturalWidth > 0")
    return page.locator("[data-drawing]")


def save(page: Page) -> None:
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/cameras/gate")


def points(area: Polygon) -> list[tuple[float, float]]:
    return [(round(x, 2), round(y, 2)) for x, y in area.points]


def saved(store: CameraStore) -> Camera:
    return store.get("gate")


def test_masks_are_drawn_with_a_mouse(new_page: NewPage, store: CameraStore) -> None:
    page = opened(new_page(Role.ADMINISTRATOR))
    drawing = ready(page)
    box = drawing.bounding_box()
    assert box is not None

    def at(x: float, y: float) -> tuple[float, float]:
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    page.get_by_role("button", name="Draw a mask").click()
    for corner in ((0.1, 0.1), (0.4, 0.1), (0.4, 0.5), (0.1, 0.1)):
        page.mouse.click(*at(*corner))
    expect(page.locator("polygon.mask")).to_have_count(1)
    page.mouse.move(*at(0.4, 0.5))
    page.mouse.down()
    page.mouse.move(*at(0.3, 0.6), steps=4)
    page.mouse.up()
    page.get_by_role("button", name="Mask as a rectangle").click()
    page.get_by_role("button", name="Region as a rectangle").click()
    expect(page.locator("[data-areas] li")).to_have_count(3)
    page.get_by_role("button", name="Remove Mask 2").click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Remove Mask 2").click()
    save(page)
    (mask,) = saved(store).privacy_masks
    assert points(mask) == [(0.1, 0.1), (0.4, 0.1), (0.3, 0.6)]
    assert saved(store).region is not None


def test_masks_are_drawn_with_the_keyboard_alone(new_page: NewPage, store: CameraStore) -> None:
    page = opened(new_page(Role.ADMINISTRATOR))
    ready(page)
    page.get_by_role("button", name="Mask as a rectangle").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Mask 1, corner 1 of 4")).to_be_focused()
    for _ in range(4):
        page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    page.keyboard.press("Delete")
    expect(page.get_by_role("button", name="Mask 1, corner 2 of 3")).to_be_focused()
    page.keyboard.press("+")
    expect(page.get_by_role("button", name="Mask 1, corner 3 of 4")).to_be_focused()
    page.keyboard.press("Shift+ArrowDown")
    expect(page.get_by_role("status")).to_contain_text("%")
    page.get_by_role("button", name="Save").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/cameras/gate")
    (mask,) = saved(store).privacy_masks
    assert [(round(x, 3), round(y, 3)) for x, y in mask.points] == [
        (0.2, 0.395),
        (0.6, 0.6),
        (0.5, 0.65),
        (0.4, 0.6),
    ]
    page = opened(new_page(Role.ADMINISTRATOR))
    ready(page)
    expect(page.locator("polygon.mask")).to_have_count(1)
    page.locator("circle.corner").first.focus()
    for _ in range(2):
        page.keyboard.press("Delete")
    expect(page.locator("polygon.mask")).to_have_count(0)


def test_masks_are_drawn_with_a_finger_on_a_telephone(new_page: NewPage, store: CameraStore) -> None:
    shown = new_page(Role.ADMINISTRATOR, viewport={"width": 390, "height": 844}, has_touch=True)
    page = opened(shown)
    drawing = ready(page)
    page.get_by_role("button", name="Draw the region").tap()
    drawing.scroll_into_view_if_needed()
    box = drawing.bounding_box()
    assert box is not None
    for x, y in ((0.2, 0.2), (0.8, 0.2), (0.5, 0.8), (0.2, 0.2)):
        page.touchscreen.tap(box["x"] + x * box["width"], box["y"] + y * box["height"])
    expect(page.locator("polygon.region")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    save(page)
    region = saved(store).region_of_interest
    assert region is not None
    assert points(region) == [(0.2, 0.2), (0.8, 0.2), (0.5, 0.8)]


def test_without_scripts_areas_are_typed(new_page: NewPage, store: CameraStore) -> None:
    page = opened(new_page(Role.ADMINISTRATOR, java_script_enabled=False))
    page.get_by_label("Privacy masks: one a line").fill("0,0 0.5,0 0.5,1\n0.6,0.6 0.9,0.6 0.9,0.9")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/cameras/gate")
    assert len(saved(store).privacy_masks) == 2


def test_without_a_picture_one_draws_on_an_empty_one(
    new_page: NewPage, store: CameraStore, camera: HttpCamera
) -> None:
    elsewhere = {"name": "gate", "address": camera.address.replace("watcher", "nobody")}
    store.add(make_camera(elsewhere), START_NS, replace=True)
    shown = new_page(Role.ADMINISTRATOR)
    page = opened(shown)
    expect(page.get_by_role("status")).to_contain_text("gives no picture")
    shown.forgive("502")
    page.get_by_role("button", name="Mask as a rectangle").click()
    save(page)
    assert len(saved(store).privacy_masks) == 1


def test_health_is_looked_at_anew_without_loading_the_page(new_page: NewPage, site: Site) -> None:
    shown = new_page(Role.ADMINISTRATOR)
    shown.page.clock.install()
    page = shown.open("/health")
    expect(page.locator("[data-sentence]")).to_have_text(
        "All is well; this console watches no cameras itself."
    )
    CameraStore(site.world.database).add(make_camera({"name": "door", "address": "0"}), START_NS)
    expect(page.get_by_role("row", name="door")).to_have_count(0)
    page.clock.run_for(11_000)
    expect(page.get_by_role("row", name="door")).to_have_count(1)
