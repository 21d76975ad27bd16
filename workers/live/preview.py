"""Pictures for whoever watches: scaled and encoded once a width, only while somebody does."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
import structlog

from pipeline.seams import Clock
from pipeline.sources.worker import Worker
from pipeline.types import ByteArray, Frame, TrackedFace
from workers.live.blur import FaceBlur
from workers.live.tiles import Box, Tile

log = structlog.get_logger(__name__)

QUALITY = 80
"""Of the JPEG."""

RATE_HZ = 10.0
THREADS = 2

Shot = tuple[Frame, Sequence[TrackedFace]]


class ShowsTiles(Protocol):
    """Where pictures go; :class:`workers.live.hub.LiveHub` is one."""

    def wanted(self, camera_id: str) -> frozenset[int]: ...
    def publish_tile(self, tile: Tile) -> None: ...


@dataclass(slots=True)
class _Camera:
    """What a camera has to be shown: the newest frame, if no thread has taken it yet."""

    due_s: float = 0.0
    newest: Shot | None = None
    busy: bool = False


@dataclass(slots=True)
class Preview:
    """A :data:`workers.channel.FrameTap`: takes frames at once; threads of its own encode the newest.

    Args:
        tiles: Asks for pictures, and gets them.
        clock: Time.
        rate_hz: Pictures a second of a camera, at most.
        blur: Hides faces of people who are not named; ``None``: everybody is shown.
        threads: How many encode.
    """

    tiles: ShowsTiles
    clock: Clock
    rate_hz: float = RATE_HZ
    blur: FaceBlur | None = None
    threads: int = THREADS
    _cameras: dict[str, _Camera] = field(default_factory=dict, init=False)
    _changed: threading.Condition = field(default_factory=threading.Condition, init=False)
    _ended: bool = field(default=False, init=False)
    _workers: list[Worker] = field(default_factory=list, init=False)

    def __call__(self, frame: Frame, tracked: Sequence[TrackedFace]) -> None:
        """Take a frame with its faces, if a picture is due and wanted."""
        if self.blur is not None:
            self.blur.see(frame, tracked)
        if not self.tiles.wanted(frame.camera_id):
            return
        now_s, period_s = self.clock.monotonic_s(), 1.0 / self.rate_hz
        with self._changed:
            camera = self._cameras.setdefault(frame.camera_id, _Camera())
            if now_s < camera.due_s:
                return
            camera.due_s = max(camera.due_s + period_s, now_s)
            camera.newest = frame, tracked
            self._changed.notify()

    def start(self) -> None:
        """Begin to encode; once."""
        self._workers = [Worker(self._work, self._end, f"preview-{number}") for number in range(self.threads)]
        for worker in self._workers:
            worker.start()

    def close(self) -> None:
        """End; what waits is not shown. Safe twice, and before :meth:`start`."""
        for worker in self._workers:
            worker.close()

    def __enter__(self) -> Preview:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._next() is not None)
                camera = self._next()
                if self._ended or camera is None:
                    return
                shot, camera.newest, camera.busy = camera.newest, None, True
            try:
                if shot is not None:
                    self._show(shot)
            finally:
                with self._changed:
                    camera.busy = False
                    self._changed.notify()

    def _next(self) -> _Camera | None:
        """A camera whose newest frame nobody encodes: one at a time, so that pictures come in order."""
        waiting = (one for one in self._cameras.values() if one.newest is not None and not one.busy)
        return min(waiting, key=lambda one: one.due_s, default=None)

    def _show(self, shot: Shot) -> None:
        frame, tracked = shot
        try:
            for tile in tiles_of(frame, tracked, self.tiles.wanted(frame.camera_id), self.blur):
                self.tiles.publish_tile(tile)
        except (cv2.error, ValueError) as error:  # one picture that cannot be shown must not end the others
            log.error("a picture cannot be shown", camera=frame.camera_id, error=str(error))


def tiles_of(
    frame: Frame, tracked: Sequence[TrackedFace], widths: frozenset[int], blur: FaceBlur | None
) -> list[Tile]:
    """The picture in each of `widths`, the widest first; each is made from the next wider one."""
    height_px, width_px = frame.image_bgr.shape[:2]
    boxes = tuple(Box.of(one.track_id, one.face, width_px, height_px) for one in tracked)
    image = frame.image_bgr
    tiles: list[Tile] = []
    for width in sorted(widths, reverse=True):
        image = _scaled(image, width, max(1, round(height_px * width / width_px)))
        if blur is not None and not tiles:  # once: the narrower ones are made from it
            image = blur.hide(frame, image)
        jpeg = _encode(image)
        tiles.append(
            Tile(
                frame.camera_id,
                frame.stream_epoch,
                frame.pts_ns,
                frame.captured_at_ns,
                width,
                image.shape[0],
                jpeg,
                boxes,
            )
        )
    return tiles


def _scaled(image_bgr: ByteArray, width_px: int, height_px: int) -> ByteArray:
    if image_bgr.shape[1] == width_px:
        return image_bgr
    how = cv2.INTER_AREA if width_px < image_bgr.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image_bgr, (width_px, height_px), interpolation=how), np.uint8)


def _encode(image_bgr: ByteArray) -> bytes:
    encoded, data = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not encoded:
        raise ValueError("the picture cannot be encoded")
    return data.tobytes()
