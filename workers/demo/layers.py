"""People as flat layers that are turned, moved and painted into the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.types import FloatArray
from workers.demo.portraits import Cutout
from workers.demo.scene import DESK_TOP_PX, OPENING_M, WALL_M, WIDTH_PX, Lens, Pose

FACE_M = 0.20
"""Height of a face, forehead to chin."""

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of the picture, pixels; `right` and `bottom` are just outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        return self.right - self.left, self.bottom - self.top


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Something to paint: float32 (h, w, 4) for `area`, colour multiplied by the last channel (0..1)."""

    area: Area
    bgra: FloatArray

    def paint(self, picture: FloatArray) -> None:
        """Paint over `picture`, float32 (H, W, 3), in place."""
        part = picture[self.area.top : self.area.bottom, self.area.left : self.area.right]
        part *= 1.0 - self.bgra[:, :, 3:]
        part += self.bgra[:, :, :3]


def person_layer(levels: Sequence[Cutout], poses: Sequence[Pose], lens: Lens) -> Layer | None:
    """One person over the instants that the shutter is open; ``None`` outside the picture.

    Args:
        levels: The cut-out at ever smaller sizes, the largest first.
        poses: At successive instants; their average is the motion blur.
    """
    cutout = _level(levels, lens.focal_px * FACE_M / poses[0].eyes_m[2])
    matrices = [_matrix(cutout, pose, lens) for pose in poses]
    area = _area(cutout, matrices)
    if min(area.size) <= 0:
        return None
    shift = np.array([[1, 0, -area.left], [0, 1, -area.top], [0, 0, 1]], np.float64)
    warped = [cv2.warpPerspective(cutout.bgra, shift @ matrix, area.size) for matrix in matrices]
    blurred = np.asarray(np.mean(warped, axis=0), np.float32)
    x_m, _, z_m = poses[0].eyes_m
    if z_m > WALL_M:
        blurred *= _opening(area, lens)
    blurred[:, :, :3] *= _shade(area, x_m, z_m)
    return Layer(area, blurred)


def _level(levels: Sequence[Cutout], face_px: float) -> Cutout:
    """The smallest that need not be enlarged."""
    return next((level for level in reversed(levels) if level.face_px >= face_px), levels[0])


def _matrix(cutout: Cutout, pose: Pose, lens: Lens) -> Matrix:
    """3x3, from the cut-out's pixels to the picture's: about the eyes turn, tilt and scale, then move."""
    centre = np.array([[1, 0, -cutout.eyes[0]], [0, 1, -cutout.eyes[1]], [0, 0, 1]])
    depth_px = 8.0 * cutout.face_px
    turn = np.array(
        [[math.cos(pose.yaw_rad), 0, 0], [0, 1, 0], [math.sin(pose.yaw_rad) / depth_px, 0, 1]], np.float64
    )
    scale = lens.focal_px * FACE_M / pose.eyes_m[2] / cutout.face_px
    cos, sin = scale * math.cos(pose.roll_rad), scale * math.sin(pose.roll_rad)
    u, v = lens.project(*pose.eyes_m)
    move = np.array([[cos, -sin, u], [sin, cos, v], [0, 0, 1]])
    return np.asarray(move @ turn @ centre, np.float64)


def _area(cutout: Cutout, matrices: Sequence[Matrix]) -> Area:
    """The part of the picture, above the desk, that the cut-out touches at any instant."""
    height, width = cutout.bgra.shape[:2]
    box = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float64)
    points = np.concatenate([cv2.perspectiveTransform(box, matrix)[0] for matrix in matrices])
    left, right = np.clip((points[:, 0].min() - 1, points[:, 0].max() + 2), 0, WIDTH_PX)
    top, bottom = np.clip((points[:, 1].min() - 1, points[:, 1].max() + 2), 0, DESK_TOP_PX)
    return Area(int(left), int(top), int(right), int(bottom))


def _opening(area: Area, lens: Lens) -> FloatArray:
    """float32 (h, w, 1): 1 where the corridor can be seen, 0 where the wall is in front of it."""
    left, right, height_m = OPENING_M
    x0, y0 = lens.project(left, height_m, WALL_M)
    x1, _ = lens.project(right, 0.0, WALL_M)
    columns, rows = np.arange(area.left, area.right), np.arange(area.top, area.bottom)
    seen = ((columns >= x0) & (columns < x1))[None, :] & (rows >= y0)[:, None]
    return seen[:, :, None].astype(np.float32)


def _shade(area: Area, x_m: float, z_m: float) -> FloatArray:
    """float32 (1, w, 1): darker in the corridor, and brighter on the side of the lamp in the middle."""
    depth = float(np.interp(z_m, (2.5, 5.0, 7.4), (0.90, 1.0, 0.76)))
    across = np.linspace(-1.0, 1.0, area.right - area.left, dtype=np.float32)
    shade = depth * (1.0 - 0.22 * math.tanh(x_m) * across)
    return np.asarray(shade, np.float32)[None, :, None]
