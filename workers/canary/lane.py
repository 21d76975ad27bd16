"""The shadow lane: measures now and then, lets go of canaries whose consent is over, tells of alarms."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from gallery.times import utc_text_from_ns
from pipeline.errors import PinwatchError
from pipeline.redact import redact
from pipeline.seams import Clock
from pipeline.sources.worker import Worker
from workers.canary.alarm import Alarm
from workers.canary.limits import longest_s
from workers.canary.process import Shadow, done_by
from workers.canary.records import RunState
from workers.canary.runs import RunStore
from workers.canary.store import CanaryStore
from workers.canary.watchdog import Watchdog
from workers.config import CanarySettings

log = structlog.get_logger(__name__)

POLL_S = 30.0
KIND = "gauge"
_DAY_NS = 24 * 3600 * 1_000_000_000
_SELF = "by itself"

Announce = Callable[[str, str | None, Mapping[str, Any]], object]
"""Kind, camera and body of something that whoever watches should see."""

Deleted = Callable[[Collection[str]], None]
"""Told the ids of canaries whose consent was over and who were deleted."""


@dataclass(frozen=True, slots=True)
class LaneParts:
    """What the lane works on."""

    canaries: CanaryStore
    runs: RunStore
    watchdog: Watchdog
    process: Shadow
    clock: Clock


class ShadowLane:
    """Works in a thread of its own until it is closed.

    Args:
        parts: See there.
        settings: How often, and whether at all.
        deleted: Records deletions.
        announce: Tells of alarms that begin and end.
        poll_s: How often it looks whether there is something to do.
    """

    def __init__(
        self,
        parts: LaneParts,
        settings: CanarySettings,
        deleted: Deleted,
        announce: Announce = lambda kind, camera_id, body: None,
        poll_s: float = POLL_S,
    ) -> None:
        self._parts, self._settings = parts, settings
        self._deleted, self._announce, self._poll_s = deleted, announce, poll_s
        self._ended = threading.Event()
        self._wake = threading.Event()
        self._asked: list[str] = []
        self._given: dict[str, Alarm] = {}
        self._judged_id: str | None = None
        self._worker = Worker(self._run, self._end, name="canary lane")

    def start(self) -> None:
        """Begin; once."""
        self._worker.start()

    def close(self) -> None:
        """Give up what is under way, and return when that is done."""
        self._worker.close()

    def ask(self, who: str) -> None:
        """Measure as soon as possible, whatever the interval; from any thread."""
        self._asked.append(who)
        self._wake.set()

    def turn(self) -> None:
        """What there is to do now."""
        gone = self._parts.canaries.expire()
        if gone:
            self._deleted(gone)
        self._parts.runs.abandon(longest_s(self._settings))
        if self._wanted():
            self._measure()
        self._tell(self._judged())

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self.turn()
            except PinwatchError as error:  # a database that is away comes back
                log.error("the robustness gauge cannot work", error=redact(str(error)))
            self._wake.wait(self._poll_s)
            self._wake.clear()

    def _end(self) -> None:
        self._ended.set()
        self._wake.set()
        self._parts.process.stop()

    def _wanted(self) -> bool:
        enabled = bool(self._asked) or self._settings.enabled is not False
        return enabled and self._parts.canaries.probes() > 0

    def _measure(self) -> None:
        asked_by = self._asked.pop() if self._asked else None
        self._asked.clear()
        every_s = self._settings.every_minutes * 60 if asked_by is None else 0
        parts = self._parts
        if done_by(parts.process, parts.runs, self._settings, asked_by or _SELF, every_s=every_s) is None:
            return
        keep_ns = int(self._settings.keep_days * _DAY_NS)
        parts.runs.prune(utc_text_from_ns(parts.clock.now_ns() - keep_ns))

    def _judged(self) -> list[Alarm]:
        """Alarms that are given; runs are judged once, whoever made them."""
        last = self._parts.runs.last(RunState.DONE)
        if last is None or last.id == self._judged_id:
            return self._parts.watchdog.given()
        self._judged_id = last.id
        return self._parts.watchdog.judge()

    def _tell(self, alarms: list[Alarm]) -> None:
        """Of what began, and what ended, since the last time."""
        given = {f"{alarm.kind} {alarm.since}": alarm for alarm in alarms}
        for key, alarm in given.items():
            if key not in self._given:
                self._announce(KIND, None, _body(alarm, "on"))
        for key, alarm in self._given.items():
            if key not in given:
                self._announce(KIND, None, _body(alarm, "off"))
        self._given = given


def _body(alarm: Alarm, state: str) -> dict[str, Any]:
    return {"alarm": alarm.kind.value, "state": state, "since": alarm.since, "detail": alarm.detail}
