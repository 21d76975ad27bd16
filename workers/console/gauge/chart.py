"""Where the lines of the chart run, in the units of its drawing: made here, so that pages need no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gallery.times import parse_time
from pipeline.robustness.threat import ThreatModel
from workers.canary.history import Mark, Point

WIDTH, HEIGHT = 1000, 320
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 34, 40

SERIES = (
    ("clean", "without an attack", ThreatModel.CORRUPTION, True),
    ("attacked", "T2a, with PIN", ThreatModel.EMBEDDER, True),
    ("adaptive", "T4, with PIN", ThreatModel.ADAPTIVE, True),
    ("bare", "T2a, without PIN", ThreatModel.EMBEDDER, False),
)


@dataclass(frozen=True, slots=True)
class Dot:
    """One point: where, and its interval from `top` to `bottom`; `words` say it."""

    x: float
    y: float
    top: float
    bottom: float
    words: str


@dataclass(frozen=True, slots=True)
class Series:
    """One line: a key for its look, a label, and its points."""

    key: str
    label: str
    dots: tuple[Dot, ...]

    @property
    def line(self) -> str:
        """For ``polyline``."""
        return " ".join(f"{dot.x:.1f},{dot.y:.1f}" for dot in self.dots)


@dataclass(frozen=True, slots=True)
class ChartMark:
    """A change, by its number in the list below the chart."""

    x: float
    number: int
    at: str
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    """All that is drawn."""

    series: tuple[Series, ...]
    marks: tuple[ChartMark, ...]
    ticks: tuple[tuple[float, str], ...]
    first: str
    last: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def chart_of(points: Sequence[Point], marks: Sequence[Mark]) -> Chart | None:
    """The chart; ``None`` where there is nothing to draw."""
    if not points:
        return None
    times = [parse_time(point.at) for point in points]
    scale = _Scale(min(times), max(times))
    series = tuple(
        _series(key, label, _of(points, model, purified), scale) for key, label, model, purified in SERIES
    )
    ticks = tuple((_y(share), f"{share:.0%}") for share in (0.0, 0.25, 0.5, 0.75, 1.0))
    changed = tuple(
        ChartMark(scale.x(mark.at), number, mark.at, ", ".join(mark.what))
        for number, mark in enumerate(marks, 1)
    )
    return Chart(tuple(one for one in series if one.dots), changed, ticks, points[0].at, points[-1].at)


class _Scale:
    """From times to the drawing."""

    def __init__(self, first: datetime, last: datetime) -> None:
        self._first = first
        self._span_s = (last - first).total_seconds()

    def x(self, at: str) -> float:
        if not self._span_s:
            return LEFT + (WIDTH - LEFT - RIGHT) / 2
        share = (parse_time(at) - self._first).total_seconds() / self._span_s
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _series(key: str, label: str, points: Sequence[Point], scale: _Scale) -> Series:
    dots = tuple(
        Dot(scale.x(point.at), _y(point.value), _y(point.high), _y(point.low), _words(label, point))
        for point in points
    )
    return Series(key, label, dots)


def _of(points: Sequence[Point], model: ThreatModel, purified: bool) -> list[Point]:
    return [point for point in points if point.threat_model is model and point.purified == purified]


def _words(label: str, point: Point) -> str:
    return f"{label}: {point.value:.0%}, {point.low:.0%} to {point.high:.0%}, n {point.n}"


def _y(share: float) -> float:
    return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)
