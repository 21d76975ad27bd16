"""A current picture of a camera, and what it sends: asked for by whoever sets it up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2

from pipeline.errors import SourceError, UsageError
from pipeline.redact import redact
from pipeline.seams import Clock
from pipeline.sources.probe import Probe
from pipeline.types import ByteArray
from workers.camera_probe import as_record, as_sentence
from workers.camera_settings import Camera

ProbeCamera = Callable[[Camera, float], Mapping[str, Probe]]
"""Connects to a camera and watches it for some seconds; see :func:`workers.camera_probe.probe_camera`."""

WATCH_S = 2.0
KEEP_S = 30.0
SIDE_PX = 1280
_AT_ONCE = 2
_KEPT = 8
_QUALITY = 85


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of trying a camera.

    Attributes:
        works: Whether every stream gave pictures.
        said: A sentence a stream, or what is wrong.
        streams: Codec, size, rate and times, by stream.
    """

    works: bool
    said: tuple[str, ...]
    streams: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Taken:
    camera: Camera
    at_s: float
    picture: ByteArray


class CameraPictures:
    """Takes pictures, a few at a time, and keeps the last one of a camera for half a minute.

    Args:
        probing: Connects.
        clock: Time.
    """

    def __init__(self, probing: ProbeCamera, clock: Clock) -> None:
        self._probing, self._clock = probing, clock
        self._lock = threading.Lock()
        self._taken: dict[str, _Taken] = {}
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def test(self, camera: Camera) -> Tried:
        """Connect to all streams of the camera and watch them for two seconds.

        Raises:
            UsageError: others are being tried.
        """
        try:
            with self._turn():
                streams = self._probing(camera, WATCH_S)
        except SourceError as error:
            return Tried(False, (redact(str(error)),), {})
        self._keep(camera, streams["main"].picture)
        said = tuple(f"{stream}: {as_sentence(probed)}" for stream, probed in streams.items())
        return Tried(True, said, {stream: as_record(probed) for stream, probed in streams.items()})

    def picture(self, camera: Camera, *, masked: bool) -> bytes:
        """A JPEG no larger than 1280 px a side; with what nobody may see blacked out, or without.

        Raises:
            SourceError: the camera gives none.
            UsageError: others are being tried.
        """
        taken = self._recent(camera)
        if taken is None:
            with self._turn():
                taken = self._probing(camera.model_copy(update={"substream": None}), 0.0)["main"].picture
            self._keep(camera, taken)
        picture = taken.copy()
        if masked and camera.mask is not None:
            camera.mask.apply(picture)
        return _jpeg(picture)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(blocking=False):
            raise UsageError("other cameras are being tried at the moment: try again in a few seconds")
        try:
            yield
        finally:
            self._turns.release()

    def _recent(self, camera: Camera) -> ByteArray | None:
        with self._lock:
            self._forget_old()
            found = self._taken.get(camera.name)
        return found.picture if found is not None and found.camera.address == camera.address else None

    def _keep(self, camera: Camera, picture: ByteArray) -> None:
        with self._lock:
            self._forget_old()
            self._taken[camera.name] = _Taken(camera, self._clock.monotonic_s(), picture.copy())
            while len(self._taken) > _KEPT:
                del self._taken[next(iter(self._taken))]

    def _forget_old(self) -> None:
        now_s = self._clock.monotonic_s()
        self._taken = {name: one for name, one in self._taken.items() if now_s - one.at_s < KEEP_S}


def _jpeg(image_bgr: ByteArray) -> bytes:
    height, width = image_bgr.shape[:2]
    scale = min(1.0, SIDE_PX / max(height, width))
    if scale < 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image_bgr = cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    done, encoded = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert done
    return encoded.tobytes()
