"""All that is not well, in sentences, the worst first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from workers.console.health.service import HealthReport
from workers.console.health.words import counted, lasting

LATE_S = 10.0
"""Half of the decisions being later than this is not what anybody expects of a live system."""
BEHIND_S = 30.0
FEW_DAYS = 7.0
UNVERIFIED_DAYS = 30.0
_LITTLE_MEMORY = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said first.

    Attributes:
        well: Whether nothing needs anybody.
        sentence: In one sentence.
        faults: What is not well.
        notes: What should be known.
    """

    well: bool
    sentence: str
    faults: tuple[str, ...]
    notes: tuple[str, ...]


def verdict(report: HealthReport) -> Verdict:
    """Judge."""
    found = [
        *_of_cameras(report),
        *_of_pipeline(report),
        *_of_ledger(report),
        *_of_machine(report),
        *_of_models(report),
        *_of_receivers(report),
        *((True, f"robustness: {alarm.detail}") for alarm in report.alarms),
    ]
    faults = tuple(text for fault, text in found if fault)
    notes = tuple(text for fault, text in found if not fault)
    return Verdict(not faults, _sentence(report, faults), faults, notes)


def _sentence(report: HealthReport, faults: tuple[str, ...]) -> str:
    if not faults:
        return "All is well." if report.watches else "All is well; this console watches no cameras itself."
    if len(faults) == 1:
        return f"Not all is well: {faults[0]}."
    return f"Not all is well: {faults[0]}, and {len(faults) - 1} more."


Found = Iterator[tuple[bool, str]]


def _of_cameras(report: HealthReport) -> Found:
    known = [status for _, status in report.cameras if status is not None] + list(report.unlisted)
    for status in known:
        if status.dead:
            detail = f" ({status.detail})" if status.detail else ""
            yield True, f"camera {status.camera_id} shows nothing{detail}"
    if report.watches:
        for camera, watched in report.cameras:
            if camera.enabled and watched is None:
                yield True, f"camera {camera.name} is not being watched"


def _of_pipeline(report: HealthReport) -> Found:
    for step in report.steps:
        if not step.well:
            yield True, f"the step {step.name} does not work{f' ({step.detail})' if step.detail else ''}"
        elif step.restarts:
            yield False, f"the step {step.name} began again {counted(step.restarts, 'time')}"
    if report.ages is not None and report.ages.p50_s > LATE_S:
        yield True, f"decisions are late: half of them by more than {report.ages.p50_s:.0f} s"
    for lag in report.lags:
        if lag.oldest_s is not None and lag.oldest_s > BEHIND_S:
            yield True, f"the worker {lag.step} is {lag.oldest_s:.0f} s behind"


def _of_ledger(report: HealthReport) -> Found:
    if report.ledger is not None and report.ledger.broken:
        yield True, f"the ledger cannot be read: {', '.join(report.ledger.broken)}"
    last = report.verified
    if last is not None and last.report is not None and not last.report.holds:
        yield True, f"the ledger does not hold: {counted(len(last.report.problems), 'problem')} found"
    if report.ledger is None:
        return
    if last is None:
        yield False, "the ledger was never verified here"
    elif _days_between(last.began_at, report.at) > UNVERIFIED_DAYS:
        yield False, f"the ledger was not verified for {_days_between(last.began_at, report.at):.0f} days"


def _of_machine(report: HealthReport) -> Found:
    machine, usable = report.machine, report.machine.disk_free_bytes - report.reserve_bytes
    if usable <= 0:
        yield True, f"the disk is full: {machine.disk_free_bytes / 1e9:.1f} GB are left"
    elif report.lasts_days is not None and report.lasts_days < FEW_DAYS:
        few = report.lasts_days < 1
        yield few, f"the disk lasts for {lasting(report.lasts_days)} at the rate of the last day"
    if machine.available_bytes is not None and machine.total_bytes:
        share = machine.available_bytes / machine.total_bytes
        if share < _LITTLE_MEMORY:
            yield True, f"memory is short: {share:.0%} is left"


def _of_models(report: HealthReport) -> Found:
    if "missing" in report.models:
        yield True, f"a model cannot be used: {report.models['missing']}"


def _of_receivers(report: HealthReport) -> Found:
    for state in report.receivers:
        name = state.receiver.name
        if state.given_up:
            yield True, f"{name} was not told of {counted(state.given_up, 'alert')}, which is given up"
        elif state.failures:
            yield True, f"{name} cannot be told of alerts ({state.last_error}); it is tried again"


def _days_between(earlier: str, later: str) -> float:
    return (dt.datetime.fromisoformat(later) - dt.datetime.fromisoformat(earlier)).total_seconds() / 86_400
