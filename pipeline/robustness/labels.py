"""Names beside points of a plot, where they cover neither points nor bars nor one another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in pixels."""

Point = tuple[float, float]
"""In pixels."""

_FONT_PT = 8
_NEAREST_PT = 6.0
_RADII_PT = (_NEAREST_PT, 12.0, 20.0, 30.0, 42.0, 56.0)
_DIRECTIONS = 16
_MARK_PT = 3.5
_STEPS = 16
_LEADER = {"arrowstyle": "-", "color": "#888888", "linewidth": 0.6, "shrinkA": 0, "shrinkB": _MARK_PT}

# What is weighed against one square pixel that is covered.
_OUTSIDE_COSTS = 4.0  # a square pixel outside the axes
_LENGTH_COSTS = 0.8  # a point of distance
_CROSSING_COSTS = 25.0  # a step of the line across something else
_AMBIGUITY_COSTS = 60.0  # a name that is nearer to another point than to its own
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Spot:
    """A point in the units of the axes: its name, place, the ends of its bars, and its colour."""

    name: str
    x: float
    y: float
    x_bar: tuple[float, float]
    y_bar: tuple[float, float]
    colour: str = "black"


def place_labels(axes: Axes, spots: Sequence[Spot]) -> None:
    """Write each name where it covers least, near its point if it can; a line joins the far ones.

    One after another, from left to right. The figure's layout must be final.
    """
    px_per_pt = axes.get_figure(root=True).dpi / 72  # type: ignore[union-attr]
    extent = axes.get_window_extent().extents
    inside: Box = (extent[0], extent[1], extent[2], extent[3])
    marks = {spot.name: _marks(axes, spot, _MARK_PT * px_per_pt) for spot in spots}
    labels: list[Box] = []
    for spot in sorted(spots, key=lambda spot: (spot.x, spot.y)):
        x_px, y_px = axes.transData.transform((spot.x, spot.y))
        size = _size(axes, spot.name)
        crossed = [box for name, boxes in marks.items() if name != spot.name for box in boxes] + labels
        covered = crossed + marks[spot.name]
        others = [_middle(boxes[0]) for name, boxes in marks.items() if name != spot.name]
        best: tuple[float, float, Box] | None = None
        for radius_pt, angle in _places():
            box = _beside((x_px, y_px), size, radius_pt * px_per_pt, angle)
            cost = _LENGTH_COSTS * radius_pt + sum(shared_area(box, other) for other in covered)
            cost += _OUTSIDE_COSTS * (size[0] * size[1] - shared_area(box, inside))
            if any(_distance(box, point) < _distance(box, (x_px, y_px)) for point in others):
                cost += _AMBIGUITY_COSTS
            if radius_pt > _NEAREST_PT:
                cost += _CROSSING_COSTS * _crossings((x_px, y_px), _middle(box), crossed)
            if best is None or cost < best[0] - _ROUNDING:  # the first, so the nearest, of equals
                best = cost, radius_pt, box
        assert best is not None
        _, radius_pt, box = best
        labels.append(box)
        middle = _middle(box)
        axes.annotate(
            spot.name,
            (spot.x, spot.y),
            xytext=((middle[0] - x_px) / px_per_pt, (middle[1] - y_px) / px_per_pt),
            textcoords="offset points",
            fontsize=_FONT_PT,
            ha="center",
            va="center",
            color=_darker(spot.colour),
            arrowprops=_LEADER if radius_pt > _NEAREST_PT else None,
        )


def shared_area(one: Box, other: Box) -> float:
    """Of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)


def _darker(colour: str) -> tuple[float, float, float]:
    """The colour of a point, dark enough for letters on white."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(colour)
    return 0.7 * red, 0.7 * green, 0.7 * blue


def _distance(box: Box, point: Point) -> float:
    """From a point to the nearest of a box."""
    across = max(box[0] - point[0], point[0] - box[2], 0.0)
    return math.hypot(across, max(box[1] - point[1], point[1] - box[3], 0.0))


def _middle(box: Box) -> Point:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _crossings(start: Point, end: Point, boxes: Sequence[Box]) -> int:
    """At how many of a few points between is the line in a box."""
    count = 0
    for step in range(1, _STEPS):
        x = start[0] + (end[0] - start[0]) * step / _STEPS
        y = start[1] + (end[1] - start[1]) * step / _STEPS
        count += any(box[0] <= x <= box[2] and box[1] <= y <= box[3] for box in boxes)
    return count


def _places() -> Iterator[tuple[float, float]]:
    """Distance and angle, the nearest first; at each distance first to the upper right."""
    for radius_pt in _RADII_PT:
        for step in range(_DIRECTIONS):
            yield radius_pt, 2 * math.pi * (step / _DIRECTIONS + 1 / 8)


def _beside(point: Point, size: tuple[float, float], radius: float, angle: float) -> Box:
    """A box of a size whose nearest edge or corner is about `radius` from the point."""
    (x, y), (width, height) = point, size
    across, up = math.cos(angle), math.sin(angle)
    middle_x = x + across * radius + max(-1.0, min(1.0, 1.5 * across)) * width / 2
    middle_y = y + up * radius + max(-1.0, min(1.0, 1.5 * up)) * height / 2
    return middle_x - width / 2, middle_y - height / 2, middle_x + width / 2, middle_y + height / 2


def _size(axes: Axes, text: str) -> tuple[float, float]:
    """Width and height in pixels, with a little air."""
    probe = axes.text(0, 0, text, fontsize=_FONT_PT)
    extent = probe.get_window_extent()
    probe.remove()
    return extent.width + 2, extent.height + 2


def _marks(axes: Axes, spot: Spot, half_px: float) -> list[Box]:
    """What the point and its bars cover."""
    x, y = axes.transData.transform((spot.x, spot.y))
    left, bottom = axes.transData.transform((spot.x_bar[0], spot.y_bar[0]))
    right, top = axes.transData.transform((spot.x_bar[1], spot.y_bar[1]))
    return [
        (x - half_px, y - half_px, x + half_px, y + half_px),
        (left, y - 2, right, y + 2),
        (x - 2, bottom, x + 2, top),
    ]
