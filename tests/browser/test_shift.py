"""A shift at a real console: one camera over RTSP, an alert seen to, and a stranger who gets a name."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.program import Console, compose, console, environment_of, run
from tests.browser.watched import Watched
from tests.rtsp.camera import RtspServer
from workers.demo.portraits import grace_hopper_path

pytestmark = [pytest.mark.browser, pytest.mark.rtsp, pytest.mark.assets, pytest.mark.slow]

NAME, PASSWORD = "Margaret", "a quiet evening shift"
KNOWN, STRANGER = "Grace Hopper", "Eileen Collins"
SOON_MS = 90_000
WITHIN_S = 5.0

LABELS = """
window.written = {};
const write = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...where) {
  (window.written[text] ??= []).push(Date.now());
  return write.call(this, text, ...where);
};
"""
"""Remembers what is written onto pictures, and when."""
_COMES = """
() => {
  const ages = (window.written["? unknown"] ?? []).map((at) => Date.now() - at);
  return ages.some((age) => age < 300) && !ages.some((age) => age > 800 && age < 2500);
}
"""
"""Whether somebody unknown has just been marked, and nobody was before."""
_DRAWN = "() => document.querySelector('video')?.getVideoPlaybackQuality().totalVideoFrames > 25"
_PIXELS = """
() => {
  const image = document.querySelector(".tile .image");
  const copy = new OffscreenCanvas(64, 36).getContext("2d", { willReadFrequently: true });
  copy.drawImage(image, 0, 0, 64, 36);
  const { data } = copy.getImageData(0, 0, 64, 36);
  let sum = 0;
  for (let at = 0; at < data.length; at += 1) sum = (sum * 31 + data[at]) >>> 0;
  return [image.width, sum];
}
"""


@pytest.fixture
def running(models: Path, tmp_path: Path) -> Iterator[Console]:
    pytest.importorskip("skimage")
    footage = compose(tmp_path / "footage.mp4")
    environment = environment_of(models, tmp_path / "data")
    with RtspServer(footage, main=(960, 540), gop=25) as camera:
        run(environment, "cameras", "add", "gate", camera.url(), "--rate-limit", 12)
        with console(environment, tmp_path) as made:
            yield made


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": 1440, "height": 900})
    made.add_init_script(LABELS)
    yield made
    made.close()


def test_a_shift(running: Console, context: BrowserContext, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Watched(context, running.origin)
    page = shown.page
    begin(page, running.link)
    see_the_wall_move(page)
    play_the_video(page)
    enroll_from_a_photograph(page, running.origin)
    make_a_rule(page, running.origin)
    acknowledge_the_alert(page, running.origin)
    wall = Watched(context, running.origin)
    wall.open("/live")
    sent_s, answered_s = name_the_stranger(page, wall.page, running.origin)
    with capsys.disabled():
        told = f"{answered_s:.1f} s after the answer to the enroll form, {sent_s:.1f} s after it was sent"
        sys.stdout.write(f"\nthe name is on the wall {told}\n")
    assert answered_s < WITHIN_S
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login")
    wall.page.close()
    assert shown.complaints == []
    assert wall.complaints == []
    code, said = running.stop()
    assert code == 0, said
    assert "Traceback" not in said


def begin(page: Page, link: str) -> None:
    """The one-time link makes the first administrator, who lands on the wall."""
    page.goto(link)
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/live")


def see_the_wall_move(page: Page) -> None:
    expect(page.locator(".tile.live")).to_have_count(1, timeout=SOON_MS)
    expect(page.locator("[data-link]")).to_contain_text("connected")
    page.wait_for_function(f"() => ({_PIXELS})()[0] > 16", timeout=SOON_MS)
    picture, tile = page.locator(".tile .picture").bounding_box(), page.locator(".tile").bounding_box()
    assert picture is not None
    assert tile is not None
    assert picture["width"] > 0.95 * tile["width"], "the picture is as wide as its place"
    seen: set[Any] = set()
    deadline_s = time.monotonic() + 30
    while len(seen) < 5:
        seen.add(page.evaluate(_PIXELS)[1])
        assert time.monotonic() < deadline_s, "the picture stands still"
        page.wait_for_timeout(300)


def play_the_video(page: Page) -> None:
    """What the camera itself sends, in its own size."""
    page.keyboard.press("1")
    page.keyboard.press("v")
    page.wait_for_function(_DRAWN, timeout=SOON_MS)
    assert page.evaluate("document.querySelector('video').videoWidth") == 960
    page.keyboard.press("v")
    expect(page.locator("video")).to_have_count(0)
    page.keyboard.press("Escape")


def enroll_from_a_photograph(page: Page, origin: str) -> None:
    page.goto(f"{origin}/people/enroll")
    page.get_by_role("textbox", name="Name").fill(KNOWN)
    page.locator("input[type=file]").set_input_files(grace_hopper_path())
    expect(page.locator("[data-results] li.good")).to_be_visible(timeout=SOON_MS)
    page.get_by_role("button", name="Enroll", exact=True).click()
    expect(page.locator("[data-results] li.enrolled")).to_be_visible(timeout=SOON_MS)


def make_a_rule(page: Page, origin: str) -> None:
    page.goto(f"{origin}/rules")
    page.get_by_role("link", name="Make a rule").click()
    page.get_by_label("Name").fill("people we know")
    page.get_by_label("When it sees").select_option("known")
    page.get_by_label("Severity").select_option("critical")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile("/rules"))


def acknowledge_the_alert(page: Page, origin: str) -> None:
    """It comes onto the wall by itself."""
    page.goto(f"{origin}/live")
    alert = page.locator("[data-alerts] li").filter(has_text=KNOWN)
    alert.first.wait_for(timeout=SOON_MS)
    alert.first.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("people we know")
    page.get_by_role("textbox", name="Note").first.fill("seen, is expected")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".history")).to_contain_text("seen, is expected")
    expect(page.locator(".history")).to_contain_text(NAME)


def name_the_stranger(page: Page, wall: Page, origin: str) -> tuple[float, float]:
    """Enroll somebody unknown from the timeline.

    Returns:
        Seconds until the name is on the picture: since the form was sent, and since it was answered.
    """
    compared = page.locator("tr.unknown").filter(has_text=f"nearest: {KNOWN}")  # so it is not herself
    row = compared.locator("a[data-row]")
    deadline_s = time.monotonic() + SOON_MS / 1000
    while True:
        page.goto(f"{origin}/sightings?outcome=unknown")
        if row.count():
            break
        assert time.monotonic() < deadline_s, "nobody unknown was decided"
        page.wait_for_timeout(1000)
    row.first.click()
    form = page.locator("#enroll form")
    form.locator("input[name=name]").fill(STRANGER)
    wall.wait_for_function(_COMES, timeout=SOON_MS)  # she has to be there to be named
    with page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        form.get_by_role("button", name="Enroll").click()
    timing = answered.value.request.timing
    answered_ms = timing["startTime"] + timing["responseStart"]
    expect(page.locator("main")).to_contain_text(f"Enrolled as {STRANGER}", timeout=SOON_MS)
    written = f"() => (window.written['✓ {STRANGER}'] ?? [])[0]"
    first_ms = wall.wait_for_function(written, timeout=SOON_MS).json_value()
    return float(first_ms - timing["startTime"]) / 1000, float(first_ms - answered_ms) / 1000
