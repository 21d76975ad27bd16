"""Cameras made of Python."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from pipeline.clock import SystemClock
from pipeline.errors import SourceLost
from pipeline.sources.connection import Shot, StreamInfo
from pipeline.sources.picture import ArrayPicture
from pipeline.types import ByteArray


def grey_picture(value: int, width: int, height: int) -> ByteArray:
    return np.full((height, width, 3), value, np.uint8)


@dataclass
class FakeCamera:
    """A camera made of Python: each connection gives `per_session` pictures, then breaks.

    Its pictures are grey: the value counts up from 0 over all connections.

    Attributes:
        per_session: Pictures a connection gives; ``None`` never breaks.
        period_s: Time between two pictures.
        refuse: Errors that the next tries to connect raise, first to last.
        connects: How many connections there were.
    """

    per_session: int | None = None
    period_s: float = 0.005
    size: tuple[int, int] = (32, 24)
    refuse: list[Exception] = field(default_factory=list)
    connects: int = 0
    open_connections: int = 0
    silent: threading.Event = field(default_factory=threading.Event)
    value: Iterator[int] = field(default_factory=itertools.count)

    def connect(self) -> FakeConnection:
        if self.refuse:
            raise self.refuse.pop(0)
        self.connects += 1
        self.open_connections += 1
        return FakeConnection(self)


class FakeConnection:
    """One connection of a :class:`FakeCamera`."""

    def __init__(self, camera: FakeCamera) -> None:
        self._camera = camera
        self._clock = SystemClock()

    @property
    def info(self) -> StreamInfo:
        return StreamInfo("fake", *self._camera.size, 1 / self._camera.period_s)

    def shots(self) -> Iterator[Shot]:
        camera = self._camera
        started_s = self._clock.monotonic_s()
        for number in itertools.count():
            if number == camera.per_session:
                raise SourceLost("the fake camera breaks")
            while camera.silent.is_set():
                time.sleep(0.01)
                if self._clock.monotonic_s() - started_s > 30:
                    raise SourceLost("silent")
            now_ns = self._clock.now_ns()
            image = grey_picture(next(camera.value) % 256, *camera.size)
            pts_ns = 0 if number == 0 else round((self._clock.monotonic_s() - started_s) * 1e9)
            yield Shot(pts_ns, now_ns, None, ArrayPicture(image))
            time.sleep(camera.period_s)

    def close(self) -> None:
        self._camera.open_connections -= 1
