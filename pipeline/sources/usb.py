"""A connection to a camera on this machine through OpenCV."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.errors import SourceLost, SourceNotFound
from pipeline.seams import Clock
from pipeline.sources.connection import Shot, StreamInfo
from pipeline.sources.picture import ArrayPicture
from pipeline.sources.timeline import Timeline

OpenCapture = Callable[[int], cv2.VideoCapture]

_NOMINAL_RATE_HZ = 30.0


def open_capture(index: int) -> cv2.VideoCapture:
    """OpenCV's camera number `index`, without its complaints where there is none.

    Raises:
        SourceNotFound: there is no such device.
    """
    if platform.system() == "Linux":
        device = Path(f"/dev/video{index}")
        if not device.exists():
            there = ", ".join(sorted(path.name[5:] for path in Path("/dev").glob("video*"))) or "none"
            raise SourceNotFound(f"there is no camera {index} ({device}); cameras on this machine: {there}")
        return cv2.VideoCapture(index, cv2.CAP_V4L2)
    return cv2.VideoCapture(index)


class UsbConnection:
    """An open USB or built-in camera.

    Args:
        index: Number of the camera, from 0.
        open_device: Opens it.

    Raises:
        SourceNotFound: there is no such device.
        SourceLost: it is there but cannot be opened now.
    """

    def __init__(self, index: int, *, clock: Clock, open_device: OpenCapture = open_capture) -> None:
        self._index = index
        self._clock = clock
        self._capture = open_device(index)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceLost(f"camera {index} cannot be opened; check that no other program uses it")
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    @property
    def info(self) -> StreamInfo:
        width, height, rate_hz = (
            self._capture.get(key)
            for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS)
        )
        return StreamInfo("raw", int(width), int(height), rate_hz if rate_hz > 0 else _NOMINAL_RATE_HZ)

    def shots(self) -> Iterator[Shot | None]:
        """Yield pictures as they come; see :class:`pipeline.sources.connection.Connection`."""
        timeline = Timeline(self.info.rate_hz)
        while True:
            taken, image = self._capture.read()
            if not taken or image is None:
                raise SourceLost(f"camera {self._index} gives no more pictures; check its cable")
            # The device has no clock of its own: its pictures are as old as they are when they come.
            pts_ns = timeline.stamp(round(self._clock.monotonic_s() * 1e9))
            picture = ArrayPicture(np.ascontiguousarray(_bgr(image), np.uint8))
            yield Shot(pts_ns, self._clock.now_ns(), None, picture)

    def close(self) -> None:
        """Let go of the device."""
        self._capture.release()


def _bgr(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Infrared cameras give one channel."""
    single = image.ndim == 2 or image.shape[2] == 1
    return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if single else image
