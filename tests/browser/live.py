"""A camera whose pictures are drawn: what the wall shows where no pipeline runs."""

from __future__ import annotations

import threading
import time
from types import TracebackType

import cv2
import numpy as np

from workers.live.hub import LiveHub
from workers.live.state import CameraState
from workers.live.tiles import Box, Tile

_EVERY_S = 0.2


class PlayedCamera:
    """Publishes a picture five times a second, within ``with``: a bright square that wanders.

    Args:
        hub: Where to.
        camera_id: As which camera.
    """

    def __init__(self, hub: LiveHub, camera_id: str) -> None:
        self._hub, self._camera_id = hub, camera_id
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._play, name="played-camera")

    def __enter__(self) -> PlayedCamera:
        self._hub.camera_state(self._camera_id, CameraState.LIVE, time.time_ns())
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _play(self) -> None:
        number = 0
        while not self._ended.wait(_EVERY_S):
            number += 1
            for width in self._hub.wanted(self._camera_id):
                self._hub.publish_tile(self._tile(number, width))

    def _tile(self, number: int, width: int) -> Tile:
        height = width * 9 // 16
        image = np.full((height, width, 3), (60, 50, 40), np.uint8)
        left = (number * width // 20) % (width * 3 // 4)
        image[height // 4 : height // 2, left : left + height // 4] = (90, 200, 240)
        done, data = cv2.imencode(".jpg", image)
        assert done
        x0, x1 = left / width, (left + height // 4) / width
        boxes = (Box(number // 50, x0, 0.25, x1, 0.5),)
        captured_at_ns = time.time_ns()
        return Tile(
            self._camera_id, 0, number * 200_000_000, captured_at_ns, width, height, data.tobytes(), boxes
        )
