"""When a rule holds: weekdays and hours by the clock on the wall."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from pipeline.errors import UsageError

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_MIN = 24 * 60
MAX_WINDOWS = 50
_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")
_MAX_STEPS = 2 * DAY_MIN
"""Of somebody who is seen for longer, only the beginning is looked at."""


@dataclass(frozen=True, slots=True)
class Window:
    """Some hours of some days. One that ends when or before it begins goes on into the next day.

    Attributes:
        days: On which it begins, Monday is 0.
        start_min: Minutes since midnight, by the clock on the wall.
        end_min: The first minute that is outside.
    """

    days: tuple[int, ...]
    start_min: int
    end_min: int

    def __post_init__(self) -> None:
        if not self.days or any(day not in range(7) for day in self.days):
            raise UsageError("a window of a schedule needs days, Mon to Sun")
        if self.start_min not in range(DAY_MIN) or self.end_min not in range(DAY_MIN + 1):
            raise UsageError("a window of a schedule begins and ends between 00:00 and 24:00")

    def holds(self, local: datetime) -> bool:
        """Whether it holds at a moment, given in the zone of the clock."""
        day, minute = local.weekday(), local.hour * 60 + local.minute
        if self.start_min < self.end_min:
            return day in self.days and self.start_min <= minute < self.end_min
        began_today = day in self.days and minute >= self.start_min
        return began_today or ((day - 1) % 7 in self.days and minute < self.end_min)

    def text(self) -> str:
        """As it is typed: ``Mon-Fri 22:00-06:00``."""
        return f"{_days_text(self.days)} {_clock_text(self.start_min)}-{_clock_text(self.end_min)}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Windows, any of which will do; none at all: always."""

    windows: tuple[Window, ...] = ()

    def __post_init__(self) -> None:
        if len(self.windows) > MAX_WINDOWS:
            raise UsageError(f"a schedule has {MAX_WINDOWS} windows at most")

    def holds(self, first: datetime, last: datetime, zone: tzinfo) -> bool:
        """Whether it holds at any moment from `first` to `last`, read off a clock in `zone`.

        Where clocks are put back, the hour that comes twice is in a window twice; where they are put forward,
        a window that would begin in the hour that is left out begins after it.
        """
        if not self.windows:
            return True
        moments = (moment.astimezone(zone) for moment in _minutes(first, last))
        return any(window.holds(local) for local in moments for window in self.windows)

    def text(self) -> str:
        """As it is typed, a window a line."""
        return "\n".join(window.text() for window in self.windows)


def _minutes(first: datetime, last: datetime) -> Iterator[datetime]:
    """`first`, and every full minute up to `last`."""
    yield first
    moment = first.replace(second=0, microsecond=0) + timedelta(minutes=1)
    for _ in range(_MAX_STEPS):
        if moment > last:
            return
        yield moment
        moment += timedelta(minutes=1)


def parse_schedule(text: str) -> Schedule:
    """What was typed: a window a line, such as ``Mon-Fri,Sun 22:00-06:00``; nothing: always.

    Raises:
        UsageError: a line is no window.
    """
    lines = [line for line in (line.strip() for line in text.replace(";", "\n").splitlines()) if line]
    return Schedule(tuple(_parse_window(line) for line in lines))


def _parse_window(line: str) -> Window:
    days_text, _, hours = line.rpartition(" ")
    start, dash, end = hours.partition("-")
    if not dash:
        raise _unreadable(line)
    days = range(7) if days_text.strip().lower() in ("", "daily") else _parse_days(days_text, line)
    return Window(tuple(days), _parse_clock(start, line) % DAY_MIN, _parse_clock(end, line))


def _parse_days(text: str, line: str) -> list[int]:
    found: set[int] = set()
    for part in text.replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        begin = _parse_day(first, line)
        end = _parse_day(last, line) if dash else begin
        found |= {(begin + step) % 7 for step in range((end - begin) % 7 + 1)}
    return sorted(found)


def _parse_day(text: str, line: str) -> int:
    short = [day.lower() for day in DAYS]
    if len(text) < 2 or text[:3].lower() not in short:
        raise _unreadable(line)
    return short.index(text[:3].lower())


def _parse_clock(text: str, line: str) -> int:
    found = _CLOCK.fullmatch(text.strip())
    minutes = int(found[1]) * 60 + int(found[2]) if found else DAY_MIN + 1
    if minutes > DAY_MIN:
        raise _unreadable(line)
    return minutes


def _unreadable(line: str) -> UsageError:
    return UsageError(f"{line!r} is no window of a schedule: write it like Mon-Fri 22:00-06:00")


def _clock_text(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _days_text(days: tuple[int, ...]) -> str:
    """Neighbours as ranges."""
    if len(set(days)) == 7:
        return "daily"
    ranges: list[list[int]] = []
    for day in sorted(set(days)):
        if ranges and ranges[-1][-1] == day - 1:
            ranges[-1].append(day)
        else:
            ranges.append([day])
    return ",".join(DAYS[run[0]] if len(run) == 1 else f"{DAYS[run[0]]}-{DAYS[run[-1]]}" for run in ranges)
