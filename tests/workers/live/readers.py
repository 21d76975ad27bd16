"""A reader as consoles see it: real sockets, a fake camera, and the real preview in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

import numpy as np

from pipeline.clock import SystemClock
from pipeline.types import Face, Frame, TrackedFace
from workers.live.preview import Preview
from workers.live.preview_options import PreviewOptions
from workers.live.preview_server import PreviewServer
from workers.live.relay import TileRelay

SECRET = "0123456789abcdef"
_FRAME_S = 0.02


def until(condition: Callable[[], object], what: str, patience_s: float = 10.0) -> None:
    """Return as soon as `condition` holds."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {patience_s:g} s: {what}"
        time.sleep(0.01)


def make_face() -> Face:
    return Face(np.array([16, 9, 48, 45], np.float32), np.zeros((5, 2), np.float32), 0.9)


class FakeReader:
    """Shows one camera, some fifty frames a second, of one colour each epoch."""

    def __init__(self, camera: str = "gate", epoch: int = 1, port: int = 0, **options: object) -> None:
        self.camera, self.epoch = camera, epoch
        self.relay = TileRelay()
        self.encoded = 0
        self.clock = SystemClock()
        self._preview = Preview(self, self.clock, rate_hz=25)
        made = PreviewOptions("127.0.0.1", port, SECRET, **options)  # type: ignore[arg-type]
        self.server = PreviewServer(self.relay, made, self.clock.now_ns)
        self._ended = threading.Event()
        self._filming = threading.Thread(target=self._film, daemon=True)

    def __enter__(self) -> FakeReader:
        self.server.__enter__()
        self._preview.start()
        self._filming.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Safe twice."""
        self._ended.set()
        self._filming.join(5)
        self._preview.close()
        self.server.close()

    @property
    def url(self) -> str:
        return self.server.url

    # What the preview asks, counted

    def wanted(self, camera_id: str) -> frozenset[int]:
        return self.relay.wanted(camera_id)

    def publish_tile(self, tile: object) -> None:
        self.encoded += 1
        self.relay.publish_tile(tile)  # type: ignore[arg-type]

    def _film(self) -> None:
        number = 0
        while not self._ended.is_set():
            number += 1
            image = np.full((90, 160, 3), 40 * self.epoch, np.uint8)
            now_ns = self.clock.now_ns()
            frame = Frame(self.camera, self.epoch, number * 20_000_000, now_ns, image)
            self._preview(frame, [TrackedFace(7, make_face())])
            time.sleep(_FRAME_S)
