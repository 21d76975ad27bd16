"""Judges what was measured, and begins and ends alarms."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from gallery.times import utc_text_from_ns
from workers.canary.alarm import Alarm, AlarmLimits, AlarmStore, due_alarms
from workers.canary.numbers import Numbers, comparable
from workers.canary.records import Result, Run
from workers.canary.runs import RunStore

_HOUR_NS = 3600 * 1_000_000_000
BASELINE_WINDOWS = 14
"""Of so many windows before this one is what accuracy is held against."""


@dataclass(frozen=True, slots=True, eq=False)
class Now:
    """What was measured within the window, in the way of the newest run.

    Attributes:
        numbers: ``None`` where nothing was.
        newest: The newest run that was done, whenever.
        runs: How many the numbers are of.
    """

    numbers: Numbers | None
    newest: Run | None
    runs: int


class Watchdog:
    """Looks at the runs.

    Args:
        runs: They.
        alarms: Begun and ended here.
        limits: From where on.
        window_hours: How far back the numbers of now go.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
    """

    def __init__(
        self,
        runs: RunStore,
        alarms: AlarmStore,
        limits: AlarmLimits,
        window_hours: float,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._runs, self._alarms, self.limits = runs, alarms, limits
        self._window_hours, self._now_ns = window_hours, now_ns

    def now(self) -> Now:
        """The numbers of the window."""
        return self._of(self._runs.done_since(self._ago(1)))

    def judge(self) -> list[Alarm]:
        """Settle the alarms after a run; those that are given now."""
        since = self._ago(1)
        found = self._runs.done_since(self._ago(1 + BASELINE_WINDOWS))
        now = self._of([(run, results) for run, results in found if run.started_at >= since])
        if now.numbers is not None:
            before = self._before([one for one in found if one[0].started_at < since])
            self._alarms.settle(due_alarms(now.numbers, before, self.limits))
        return self._alarms.given()

    def given(self) -> list[Alarm]:
        """Alarms that are given, without another look at the runs."""
        return self._alarms.given()

    def _before(self, found: list[tuple[Run, list[Result]]]) -> Numbers | None:
        """Whatever models and thresholds were then: an accuracy that falls with them has fallen."""
        return comparable(found)

    def _of(self, found: list[tuple[Run, list[Result]]]) -> Now:
        numbers = comparable(found)
        newest = found[-1][0] if found else None
        same = [run for run, _ in found if newest is not None and _alike(run, newest)]
        return Now(numbers, newest, len(same))

    def _ago(self, windows: float) -> str:
        return utc_text_from_ns(self._now_ns() - int(windows * self._window_hours * _HOUR_NS))


def _alike(run: Run, other: Run) -> bool:
    one, two = run.circumstances, other.circumstances
    return one is not None and two is not None and one.comparable == two.comparable
