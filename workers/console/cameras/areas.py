"""Areas of a picture as text: a line an area, its corners as shares, as ``pinwatch cameras add --mask``."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import UsageError
from pipeline.region import Polygon

MAX_AREAS = 64
MAX_CORNERS = 256

Corners = list[list[float]]


def areas_of(text: str) -> list[Corners]:
    """The areas that somebody drew or typed; empty lines are none.

    Raises:
        UsageError: a line is no list of corners, or there are too many.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > MAX_AREAS:
        raise UsageError(f"{len(lines)} areas are too many: draw up to {MAX_AREAS}")
    return [_corners(line) for line in lines]


def one_area(text: str) -> Corners | None:
    """At most one. Raises ``UsageError`` for more, and as :func:`areas_of`."""
    found = areas_of(text)
    if len(found) > 1:
        raise UsageError("a camera has one region: draw one area, with as many corners as it takes")
    return found[0] if found else None


def as_text(areas: Sequence[Polygon]) -> str:
    """The same as text again."""
    return "\n".join(" ".join(f"{x:.4g},{y:.4g}" for x, y in area.points) for area in areas)


def _corners(line: str) -> Corners:
    words = line.split()
    if len(words) > MAX_CORNERS:
        raise UsageError(f"an area of {len(words)} corners has too many: use up to {MAX_CORNERS}")
    try:
        pairs = [[float(part) for part in word.split(",")] for word in words]
    except ValueError:
        pairs = []
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise UsageError(
            f"{line.strip()[:60]!r} is no area: write its corners as shares of the picture, such as "
            "0,0 0.5,0 0.5,1 0,1"
        )
    return pairs
