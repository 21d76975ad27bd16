"""Puts the shadow lane together; nothing of torch is loaded here, since attacks run in another process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.canary.alarm import AlarmStore
from workers.canary.lane import Announce, Deleted, LaneParts, ShadowLane
from workers.canary.limits import limits_of
from workers.canary.process import ShadowProcess
from workers.canary.runs import RunStore
from workers.canary.store import CanaryStore
from workers.canary.watchdog import Watchdog

if TYPE_CHECKING:
    from workers.build import Context


def shadow_lane(program: Context, deleted: Deleted, announce: Announce) -> ShadowLane:
    """The lane of a program, not yet started.

    Args:
        program: Settings and database.
        deleted: Records who was deleted since their consent was over.
        announce: Tells of alarms.
    """
    settings, now_ns = program.settings.canary, program.clock.now_ns
    runs = RunStore(program.database(), now_ns)
    return ShadowLane(
        LaneParts(
            canaries=CanaryStore(program.database(), now_ns),
            runs=runs,
            watchdog=watchdog_of(program, runs),
            process=ShadowProcess(program.settings),
            clock=program.clock,
        ),
        settings,
        deleted,
        announce,
    )


def watchdog_of(program: Context, runs: RunStore) -> Watchdog:
    """Judges the runs of a program."""
    settings, now_ns = program.settings.canary, program.clock.now_ns
    alarms = AlarmStore(program.database(), now_ns)
    return Watchdog(runs, alarms, limits_of(settings), settings.window_hours, now_ns)
