"""Where everything is: the camera's geometry, the lobby, and who walks through it when."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np

WIDTH_PX, HEIGHT_PX = 1280, 720
WALL_M = 6.8
"""How far the back wall is; the opening in it leads to the corridor."""
OPENING_M = (-0.95, 0.95, 2.35)
"""The opening's left and right end and its height."""
DESK_TOP_PX = 520
"""Below this row the reception desk hides everything."""


@dataclass(frozen=True, slots=True)
class Lens:
    """A pinhole camera that looks straight ahead.

    Attributes:
        focal_px: Focal length.
        horizon_px: Row of points at the camera's own height.
        height_m: The camera's height above the floor.
    """

    focal_px: float = 1600.0
    horizon_px: float = 330.0
    height_m: float = 1.65

    def project(self, x_m: float, y_m: float, z_m: float) -> tuple[float, float]:
        """Pixels of a point `x_m` right of the axis, `y_m` above the floor, `z_m` ahead."""
        scale = self.focal_px / z_m
        return WIDTH_PX / 2 + x_m * scale, self.horizon_px + (self.height_m - y_m) * scale


class Person(enum.Enum):
    """Who can walk."""

    HOPPER = "Grace Hopper"
    COLLINS = "Eileen Collins"


@dataclass(frozen=True, slots=True)
class Pose:
    """Where somebody's face is and how it is held.

    Attributes:
        eyes_m: The point between the eyes: right of the axis, above the floor, ahead.
        roll_rad: Tilt of the head to the shoulder.
        yaw_rad: Turn; positive toward the picture's right.
    """

    eyes_m: tuple[float, float, float]
    roll_rad: float
    yaw_rad: float


@dataclass(frozen=True, slots=True)
class Walk:
    """Somebody comes round the corner of the corridor, through the opening and out past the camera.

    Attributes:
        person: Who.
        start_s: When the walk begins, behind the wall.
        duration_s: How long it takes.
        side: 1 enters from the left and leaves to the right, -1 the other way round.
        eye_height_m: Above the floor.
        step_hz: Steps a second.
        near_m: How close they pass.
    """

    person: Person
    start_s: float
    duration_s: float
    side: int
    eye_height_m: float
    step_hz: float
    near_m: float = 2.3

    def pose(self, time_s: float) -> Pose | None:
        """At a time of the footage; ``None`` before the walk and after it."""
        share = (time_s - self.start_s) / self.duration_s
        if not 0.0 <= share <= 1.0:
            return None
        x_m, z_m = self._place(share)
        step = 2.0 * math.pi * self.step_hz * (time_s - self.start_s)
        bob_m, sway_m = 0.022 * math.sin(step), 0.018 * math.sin(step / 2.0)
        yaw = self.side * (0.04 + 0.14 * share) + 0.05 * math.sin(step / 3.1)
        return Pose((x_m + sway_m, self.eye_height_m + bob_m, z_m), 0.025 * math.sin(step / 2.0 + 0.6), yaw)

    def _place(self, share: float) -> tuple[float, float]:
        """A quadratic Bézier curve over the floor: along the wall, then toward the camera."""
        weights = ((1 - share) ** 2, 2 * share * (1 - share), share**2)
        x_m = float(np.dot(weights, (-1.75, 0.55, 0.56 * self.near_m)))
        z_m = float(np.dot(weights, (7.4, 7.4, self.near_m)))
        return self.side * x_m, z_m


WALKS = (
    Walk(Person.COLLINS, start_s=0.4, duration_s=4.6, side=1, eye_height_m=1.60, step_hz=1.9, near_m=2.5),
    Walk(Person.HOPPER, start_s=2.6, duration_s=5.2, side=-1, eye_height_m=1.55, step_hz=1.7),
    Walk(Person.HOPPER, start_s=8.4, duration_s=5.0, side=1, eye_height_m=1.55, step_hz=1.8),
    Walk(Person.COLLINS, start_s=10.6, duration_s=4.8, side=-1, eye_height_m=1.60, step_hz=1.9, near_m=2.5),
)
DURATION_S = 15.2
RATE_HZ = 25


def daylight(time_s: float) -> float:
    """Brightness of the lobby: steady, a flicker at 8 s, then dim, and bright again from 12.5 s on."""
    if 7.9 < time_s < 8.3:
        return 0.75 + 0.2 * math.cos(time_s * 60.0)
    dimmed = np.interp(time_s, (8.3, 8.8, 11.9, 12.7), (0.85, 0.6, 0.6, 1.0))
    drift = 1.0 + 0.04 * math.sin(time_s * 1.3)
    return float(dimmed if time_s >= 8.3 else 1.0) * drift
