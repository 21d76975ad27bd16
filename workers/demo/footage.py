"""Composes the demonstration's video: people who walk past a camera, as a camera would show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from pipeline.types import ByteArray, FloatArray
from workers.demo import backdrop, portraits
from workers.demo.layers import Layer, person_layer
from workers.demo.portraits import Cutout
from workers.demo.scene import (
    DESK_TOP_PX,
    DURATION_S,
    HEIGHT_PX,
    RATE_HZ,
    WALKS,
    WIDTH_PX,
    Lens,
    Person,
    daylight,
)
from workers.video import VideoFile

FRAMES = round(DURATION_S * RATE_HZ)
_SHUTTER_S = 1 / 50
_EXPOSURES = 3
"""Instants that are averaged over the shutter time: motion blur."""
_SEED = 1906
_NOISE_MARGIN_PX = 64


def compose(path: Path) -> Iterator[int]:
    """Write the footage (1280x720, 25 fps, H.264) and yield the number of frames done so far.

    Raises:
        StorageError: the file cannot be written.
    """
    studio = Studio()
    with VideoFile(path, WIDTH_PX, HEIGHT_PX) as video:
        for number in range(FRAMES):
            video.write(studio.frame(number), number * 1_000_000_000 // RATE_HZ)
            yield number + 1


class Studio:
    """The scene, ready to be photographed. Frames depend on nothing but their number."""

    def __init__(self) -> None:
        self._lens = Lens()
        self._lobby = backdrop.lobby(self._lens).astype(np.float32)
        self._desk = backdrop.desk().astype(np.float32)
        self._people = {
            Person.HOPPER: _pyramid(portraits.grace_hopper()),
            Person.COLLINS: _pyramid(portraits.eileen_collins()),
        }
        size = (HEIGHT_PX + _NOISE_MARGIN_PX, WIDTH_PX + _NOISE_MARGIN_PX, 3)
        self._noise = np.random.default_rng(_SEED).standard_normal(size, dtype=np.float32)

    def frame(self, number: int) -> ByteArray:
        """Picture `number`, counted from 0: uint8 (720, 1280, 3) BGR."""
        start_s = number / RATE_HZ
        instants = [start_s + _SHUTTER_S * (k + 0.5) / _EXPOSURES for k in range(_EXPOSURES)]
        picture = self._lobby.copy()
        for layer in self._layers(instants):
            layer.paint(picture)
        picture[DESK_TOP_PX:] = self._desk
        return self._developed(picture, number)

    def _layers(self, instants: Sequence[float]) -> list[Layer]:
        """Everybody who is in the picture, the farthest first."""
        present: list[tuple[float, Layer]] = []
        for walk in WALKS:
            poses = [pose for time_s in instants if (pose := walk.pose(time_s))]
            layer = person_layer(self._people[walk.person], poses, self._lens) if poses else None
            if layer:
                present.append((poses[0].eyes_m[2], layer))
        return [layer for _, layer in sorted(present, key=lambda item: -item[0])]

    def _developed(self, picture: FloatArray, number: int) -> ByteArray:
        """What the sensor makes of the light: less of it is also warmer and noisier."""
        light = daylight(number / RATE_HZ)
        picture *= np.array((0.93 + 0.07 * light, 1.0, 1.04 - 0.04 * light), np.float32) * np.float32(light)
        sharp = cv2.GaussianBlur(picture, (0, 0), 0.5)
        dx, dy = np.random.default_rng((_SEED, number)).integers(0, _NOISE_MARGIN_PX, 2)
        noise = self._noise[dy : dy + HEIGHT_PX, dx : dx + WIDTH_PX]
        exposed = sharp + noise * np.float32(2.4 + 4.0 * max(0.0, 1.0 - light))
        return np.clip(np.rint(exposed), 0, 255).astype(np.uint8)


def _pyramid(cutout: Cutout) -> list[Cutout]:
    """The cut-out at full size, half, a quarter, an eighth."""
    levels = [cutout]
    for _ in range(3):
        levels.append(levels[-1].halved())
    return levels
