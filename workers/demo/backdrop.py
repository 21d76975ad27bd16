"""The lobby, drawn: a back wall with two posters, an opening to a corridor, and a reception desk.

The posters are public-domain pictures that scikit-image ships (NASA's Hubble eXtreme Deep Field, and a
launch photographed by SpaceX).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import skimage.data

from pipeline.types import ByteArray, FloatArray
from workers.demo.scene import DESK_TOP_PX, HEIGHT_PX, OPENING_M, WALL_M, WIDTH_PX, Lens

_FINE = 4
"""Binary places of sub-pixel coordinates for OpenCV's drawing."""
_LEFT, _RIGHT, _TOP = OPENING_M
_CEILING, _END = 2.75, 15.0

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Panel:
    """A flat rectangle in the room, parallel to two of the axes.

    Attributes:
        low: One corner: right of the camera's axis, above the floor, ahead; metres.
        high: The opposite corner; it shares one coordinate with `low`.
        colour_bgr: 0..255.
    """

    low: Point
    high: Point
    colour_bgr: tuple[int, int, int]

    def corners(self) -> list[Point]:
        """In order around the rectangle."""
        (x0, y0, z0), (x1, y1, z1) = self.low, self.high
        second = (x1, y0, z0) if y0 == y1 else (x0, y1, z0)
        fourth = (x0, y0, z1) if z0 != z1 else (x1, y0, z1)
        return [self.low, second, self.high, fourth]


_ROOM = (
    Panel((-9, 0, WALL_M), (9, 4, WALL_M), (186, 196, 200)),
    Panel((-9, _CEILING, 2), (9, _CEILING, WALL_M), (214, 218, 220)),
    Panel((-2.2, 0, 2), (-2.2, _CEILING, WALL_M), (164, 176, 182)),
    Panel((2.2, 0, 2), (2.2, _CEILING, WALL_M), (164, 176, 182)),
    *(Panel((x, _CEILING, 5.6), (x + 0.3, _CEILING, 6.5), (252, 255, 255)) for x in (-1.5, -0.15, 1.2)),
    Panel((-9, 0.9, WALL_M), (9, 0.98, WALL_M), (120, 136, 150)),
)
_CORRIDOR = (
    Panel((_LEFT - 0.07, 0, WALL_M), (_RIGHT + 0.07, _TOP + 0.07, WALL_M), (108, 122, 132)),
    Panel((_LEFT, 0, WALL_M), (_LEFT, _TOP, _END), (118, 130, 136)),
    Panel((_RIGHT, 0, WALL_M), (_RIGHT, _TOP, _END), (136, 148, 154)),
    Panel((_LEFT, _TOP, WALL_M), (_RIGHT, _TOP, _END), (158, 164, 168)),
    Panel((_LEFT, 0, WALL_M), (_RIGHT, 0, _END), (96, 104, 112)),
    Panel((_LEFT, 0, _END), (_RIGHT, _TOP, _END), (176, 178, 176)),
    Panel((-0.5, 0.9, _END), (0.5, 2.0, _END), (250, 244, 232)),
    *(Panel((x, 0, z), (x, 2.05, z + 0.9), (70, 92, 118)) for x in (_LEFT, _RIGHT) for z in (8.2, 10.6)),
)


def lobby(lens: Lens) -> ByteArray:
    """The empty scene behind everybody, uint8 (720, 1280, 3) BGR."""
    image = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    for panel in (*_ROOM, *_CORRIDOR):
        _fill(image, lens, panel)
    _hang(image, lens, skimage.data.hubble_deep_field(), (-1.95, 1.35), (-1.15, 2.05))
    _hang(image, lens, skimage.data.rocket(), (1.15, 1.35), (1.95, 2.05))
    shaded = image * _falloff()[:, :, None]
    return np.asarray(cv2.GaussianBlur(np.clip(shaded, 0, 255).astype(np.uint8), (0, 0), 1.6), np.uint8)


def desk() -> ByteArray:
    """What is in front of everybody from row ``DESK_TOP_PX`` down, uint8 (200, 1280, 3) BGR."""
    height = HEIGHT_PX - DESK_TOP_PX
    rows = np.linspace(0.0, 1.0, height)[:, None, None]
    coarse = np.random.default_rng(5).normal(0.0, 1.0, (height, WIDTH_PX // 8)).astype(np.float32)
    grain = cv2.resize(coarse, (WIDTH_PX, height), interpolation=cv2.INTER_CUBIC)[:, :, None]
    wood = np.array((46, 62, 84)) * (1.0 - 0.45 * rows) + grain * 2.0
    wood[:14] = np.array((120, 138, 156)) - 30.0 * rows[:14] * height / 14.0
    wood[14:20] *= 0.55
    panel = np.clip(wood, 0, 255).astype(np.uint8)
    for left in range(40, WIDTH_PX, 200):
        cv2.line(panel, (left, 22), (left, height), (26, 34, 48), 2, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(panel, (0, 0), 2.2), np.uint8)


def _fill(image: ByteArray, lens: Lens, panel: Panel) -> None:
    points = np.array([lens.project(*corner) for corner in panel.corners()])
    fine = np.rint(points * 2**_FINE).astype(np.int32)
    cv2.fillConvexPoly(image, fine, panel.colour_bgr, cv2.LINE_AA, _FINE)


def _hang(
    image: ByteArray, lens: Lens, picture_rgb: ByteArray, low: tuple[float, float], high: tuple[float, float]
) -> None:
    """Hang a picture on the back wall between two corners (right of the axis, above the floor; metres)."""
    left, bottom = lens.project(*low, WALL_M)
    right, top = lens.project(*high, WALL_M)
    x0, x1, y0, y1 = (round(v) for v in (left, right, top, bottom))
    cv2.rectangle(image, (x0 - 5, y0 - 5), (x1 + 5, y1 + 5), (40, 44, 48), cv2.FILLED)
    scaled = cv2.resize(
        np.ascontiguousarray(picture_rgb[:, :, ::-1]), (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA
    )
    image[y0:y1, x0:x1] = scaled


def _falloff() -> FloatArray:
    """Light falls from the ceiling's lamps: brighter high up and in the middle."""
    rows = np.linspace(1.06, 0.80, HEIGHT_PX)[:, None]
    columns = 1.0 - 0.16 * np.linspace(-1.0, 1.0, WIDTH_PX)[None, :] ** 2
    return np.asarray(rows * columns, np.float32)
