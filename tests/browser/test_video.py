"""The video of a camera plays over its pictures, for whoever wants it, and follows what the camera sends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest
from av.video.stream import VideoStream
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage
from tests.browser.live import PlayedCamera
from tests.browser.site import Site
from tests.workers.live.test_video import write_video
from workers.console.access.roles import Role
from workers.live.hub import LiveHub

pytestmark = pytest.mark.browser

_PICTURE_S = 0.04


@contextmanager
def sends(hub: LiveHub, camera_id: str, path: Path) -> Iterator[None]:
    """A camera that sends the packets of a file, again and again, as one connection each."""
    ended = threading.Event()
    thread = threading.Thread(target=_send, args=(hub, camera_id, path, ended), name="sending-camera")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _send(hub: LiveHub, camera_id: str, path: Path, ended: threading.Event) -> None:
    tap = hub.videos.tap(camera_id)
    while not ended.is_set():
        with av.open(path) as container:
            stream: VideoStream = container.streams.video[0]
            tap.open_stream(stream)
            for packet in container.demux(stream):
                tap.packet(packet)
                if ended.wait(_PICTURE_S):
                    break
            tap.close_stream()


def seen_so_far(page: Page) -> float:
    """Pictures that the browser has drawn."""
    script = "document.querySelector('video')?.getVideoPlaybackQuality().totalVideoFrames ?? 0"
    return float(page.evaluate(script))


def until_more(page: Page, pictures: float, patience_s: float = 60.0) -> float:
    deadline_s = time.monotonic() + patience_s
    while (found := seen_so_far(page)) <= pictures:
        assert time.monotonic() < deadline_s, f"no more than {found:.0f} pictures are drawn"
        page.wait_for_timeout(100)
    return found


def test_the_video_of_the_enlarged_camera_plays_and_ends(
    new_page: NewPage, site: Site, tmp_path: Path
) -> None:
    hub, clip = site.world.console.hub, write_video(tmp_path / "clip.mp4", pictures=200)
    with PlayedCamera(hub, "gate"), PlayedCamera(hub, "yard"), sends(hub, "gate", clip):
        page = new_page(Role.ADMINISTRATOR).open("/live")
        button = page.get_by_role("button", name="Video off")
        expect(button).to_be_visible()
        page.keyboard.press("v")
        expect(page.get_by_role("button", name="Video on")).to_have_attribute("aria-pressed", "true")
        assert page.locator("video").count() == 0, "nothing is enlarged"
        page.keyboard.press("1")
        before = until_more(page, 10)
        until_more(page, before + 10)
        expect(page.locator(".tile.large .age")).not_to_be_empty()
        page.keyboard.press("Escape")
        expect(page.locator("video")).to_have_count(0)
        page.keyboard.press("2")
        expect(page.locator(".tile.large .why")).to_contain_text("no video of it may be shown")
        page.keyboard.press("v")
        page.keyboard.press("1")
        expect(page.locator("video")).to_have_count(0)
