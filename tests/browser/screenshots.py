"""Pictures of the console for its manual: a real console over the demonstration's footage.

    python -m tests.browser.screenshots [FOLDER]

The people in them are those of the demonstration, whose portraits are in the public domain. The robustness
gauge needs more of them: those of the supplied photographs, who are not shown.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import PIL.Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import running
from tests.browser.program import Console, compose, console, environment_of, run
from tests.browser.test_shift import KNOWN, LABELS, SOON_MS, begin, enroll_from_a_photograph, make_a_rule
from tests.conftest import assets_folder
from tests.rtsp.camera import RtspServer
from workers.console.web.navigation import PLACES

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
SIZES = {"": (1440, 900), "-narrow": (390, 844)}
LIMIT_BYTES = 150_000
_COLOURS = (256, 128, 64, 32)
_WATCH_S = 45
_VOLUNTEERS, _PHOTOS_EACH, _RUNS, _BUDGET_S = 9, 6, 2, 60
_FILM = """
() => {
  const films = document.querySelectorAll("video");
  for (const film of films) {
    film.muted = true;
    film.play();
  }
}
"""
"""So that films show more than black."""
_NAMED = "(name) => (window.written[`✓ ${name}`] ?? []).some((at) => Date.now() - at < 100)"
"""Whether somebody is named on the picture right now."""


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        scratch = Path(made)
        environment = {**environment_of(None, scratch / "data"), "PINWATCH_CANARY__ENABLED": "false"}
        _measure(environment)
        with (
            RtspServer(compose(scratch / "footage.mp4"), main=(960, 540), gop=25) as camera,
            running() as browser,
        ):
            run(environment, "cameras", "add", "lobby", camera.url(), "--rate-limit", 12)
            with console(environment, scratch, "--record") as program:
                _take(browser, program, folder)
                program.stop()


def _measure(environment: Mapping[str, str]) -> None:
    """Let the robustness gauge have something to show."""
    many = (sorted(person.glob("*.jpg")) for person in sorted((assets_folder() / "faces/lfw-dev").iterdir()))
    enough = (photos[:_PHOTOS_EACH] for photos in many if len(photos) >= _PHOTOS_EACH)
    words = ("--consent", "for the manual", "--until", "2099-12-31")
    added = 0
    while added < _VOLUNTEERS:  # photographs that show others as well are refused
        name = f"volunteer {added}"
        added += bool(run(environment, "canary", "add", name, *next(enough), *words, must=False))
    for _ in range(_RUNS):
        run(environment, "canary", "run", "--budget", _BUDGET_S)


def _take(browser: Browser, program: Console, folder: Path) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="dark")
    context.add_init_script(LABELS)
    page = context.new_page()
    page.set_default_timeout(SOON_MS)
    begin(page, program.link)
    enroll_from_a_photograph(page, program.origin)
    make_a_rule(page, program.origin)
    page.goto(f"{program.origin}/live")
    page.locator("[data-alerts] li").filter(has_text=KNOWN).first.wait_for()
    page.wait_for_timeout(_WATCH_S * 1000)
    for name, path in _pages(page, program.origin):
        for suffix, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            page.goto(program.origin + path)
            _settle(page)
            _save(folder / f"{name}{suffix}.png", page.screenshot())
    context.clear_cookies()
    for suffix, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        page.goto(f"{program.origin}/login")
        _save(folder / f"login{suffix}.png", page.screenshot())


def _pages(page: Page, origin: str) -> Iterator[tuple[str, str]]:
    """Name of the picture, and where it is taken."""
    yield "wall", "/live"
    yield "alerts", "/alerts"
    yield "alert", _row(page, f"{origin}/alerts")
    yield "sightings", "/sightings"
    yield "sighting", _row(page, f"{origin}/sightings?outcome=known", -1)  # footage of it is there already
    yield "people", "/people"
    yield "person", _row(page, f"{origin}/people")
    yield "unknown", _row(page, f"{origin}/unknowns")
    yield "masks", "/cameras/lobby/masks"
    yield "health", "/health"
    if any(place.path == "/robustness" for place in PLACES):
        yield "robustness", "/robustness"


def _row(page: Page, url: str, row: int = 0) -> str:
    """Where a row of a list leads, the first one or another."""
    page.goto(url)
    link = page.locator("a[data-row]").nth(row)
    expect(link).to_be_visible(timeout=SOON_MS)
    found = link.get_attribute("href")
    assert found is not None
    return found


def _settle(page: Page) -> None:
    """Until pictures are there; on the wall also somebody who has been named."""
    page.wait_for_timeout(1500)
    page.evaluate(_FILM)
    page.wait_for_timeout(4000 if "/sightings/" in page.url else 500)
    if page.url.endswith("/live"):
        page.wait_for_function(_NAMED, arg=KNOWN)


def _save(path: Path, png: bytes) -> None:
    """With as many colours as fit into the limit."""
    image = PIL.Image.open(io.BytesIO(png)).convert("RGB")
    for colours in _COLOURS:
        small = io.BytesIO()
        image.quantize(colours, dither=PIL.Image.Dither.NONE).save(small, "PNG", optimize=True)
        if small.tell() <= LIMIT_BYTES:
            break
    path.write_bytes(small.getvalue())
    sys.stderr.write(f"{path.name}: {small.tell() // 1000} kB\n")


if __name__ == "__main__":
    main()
