"""Health as tables of few words: drawn by the page, and fetched again by it every ten seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gallery.times import utc_text_from_ns
from workers.camera_settings import Camera
from workers.console.health.service import HealthReport, KeptFootage
from workers.console.health.status import DECODE_ERRORS, CameraStatus

ShowTime = Callable[[str | None], str]

_NO_CAMERA = "There is no camera, or none that you see."


@dataclass(frozen=True, slots=True)
class Line:
    """One thing.

    Attributes:
        label: What.
        value: How much, or how it is.
        note: More about it.
        sign: ``good``, ``bad``, or nothing: shown as a sign before the value.
    """

    label: str
    value: str
    note: str = ""
    sign: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Lines under a title; `key` names it."""

    key: str
    title: str
    lines: tuple[Line, ...]
    empty: str = ""


def tables(report: HealthReport, show: ShowTime) -> list[Table]:
    """Everything, in the order of the page.

    Args:
        report: What was found.
        show: Times as people read them.
    """
    return [
        Table("cameras", "Cameras", tuple(_cameras(report, show)), _NO_CAMERA),
        Table("pipeline", "Pipeline", tuple(_pipeline(report)), "This console watches no cameras itself."),
        Table("machine", "Machine", tuple(_machine(report))),
        Table("footage", "Footage", tuple(_footage(report, show)), "Nothing is recorded."),
        Table("ledger", "Ledger", tuple(_ledger(report, show)), "There is no ledger."),
        Table("gallery", "Gallery and models", tuple(_gallery(report))),
    ]


Lines = Iterator[Line]


def _cameras(report: HealthReport, show: ShowTime) -> Lines:
    for camera, status in report.cameras:
        yield _unwatched(camera) if status is None or not camera.enabled else _camera(status, show)
    for status in report.unlisted:
        yield _camera(status, show)


def _unwatched(camera: Camera) -> Line:
    return Line(camera.name, "not watched by this console" if camera.enabled else "switched off")


def _camera(status: CameraStatus, show: ShowTime) -> Line:
    parts = []
    if status.since is not None:
        parts.append(f"since {show(status.since)}")
    if status.rate_hz is not None:
        parts.append(f"{status.rate_hz:.1f} fps")
    if status.detail:
        parts.append(status.detail)
    left_out = sorted(status.dropped_by_cause.items())
    parts += [f"{cause.replace('_', ' ')} {n}" for cause, n in left_out if n and cause not in DECODE_ERRORS]
    if status.decode_errors:
        parts.append(f"decode errors {status.decode_errors}")
    sign = "bad" if status.dead else "good" if status.state == "live" else ""
    return Line(status.camera_id, str(status.state), ", ".join(parts), sign)


def _pipeline(report: HealthReport) -> Lines:
    for step in report.steps:
        waiting = "" if step.waiting is None else f"{counted(step.waiting, 'message')} waiting"
        again = f"began again {counted(step.restarts, 'time')}" if step.restarts else ""
        note = ", ".join(part for part in (waiting, again, step.detail) if part)
        yield Line(step.name, "works" if step.well else "does not work", note, "good" if step.well else "bad")
    if report.ages is not None:
        ages = report.ages
        value = f"{ages.p50_s:.2f} s"
        note = f"95 of 100 within {ages.p95_s:.2f} s, 99 within {ages.p99_s:.2f} s, of the last {ages.count}"
        yield Line("age at decision, half within", value, note)
    for lag in report.lags:
        oldest = "none waits" if lag.oldest_s is None else f"the oldest for {lag.oldest_s:.1f} s"
        yield Line(f"{lag.step} behind on {lag.topic}", counted(lag.messages, "message"), oldest)


def _machine(report: HealthReport) -> Lines:
    machine = report.machine
    yield Line("processor", f"{machine.load:.1f} of {machine.processors}", "load over the last minute")
    if machine.available_bytes is not None and machine.total_bytes is not None:
        own = "" if machine.own_bytes is None else f"this process {size(machine.own_bytes)}"
        yield Line("memory left", f"{size(machine.available_bytes)} of {size(machine.total_bytes)}", own)
    for gpu in machine.gpus:
        yield Line("GPU", f"{size(gpu.used_bytes)} of {size(gpu.total_bytes)} used", gpu.name)
    free = f"{size(machine.disk_free_bytes)} of {size(machine.disk_total_bytes)}"
    yield Line("disk left", free, _lasts(report))


def _lasts(report: HealthReport) -> str:
    kept = f"recording stops {size(report.reserve_bytes)} before its end"
    if not report.footage or not any(one.kept.last_day_bytes for one in report.footage):
        return kept
    if report.lasts_days is None:
        return f"enough for all that is to be kept; {kept}"
    return f"lasts for {lasting(report.lasts_days)} at the rate of the last day; {kept}"


def _footage(report: HealthReport, show: ShowTime) -> Lines:
    if report.footage is None:
        yield Line("footage", "is being measured")
        return
    for one in report.footage:
        yield Line(one.kept.camera_id, size(one.kept.size_bytes), _kept(one, show))
    days = report.keep_unknown_days
    yield Line("people who are not enrolled", f"{days:g} days" if days else "no limit", "then unreadable")


def _kept(one: KeptFootage, show: ShowTime) -> str:
    days = "" if one.max_days is None else f"{one.max_days:g} days"
    most = "" if one.max_gb is None else f"{one.max_gb:g} GB"
    limits = " and ".join(part for part in (days, most) if part) or "no limit"
    since = show(utc_text_from_ns(one.kept.oldest_ns))
    held = f", {counted(one.holds, 'hold')}" if one.holds else ""
    return f"since {since}; {limits}{held}; {size(one.kept.last_day_bytes)} in the last 24 hours"


def _ledger(report: HealthReport, show: ShowTime) -> Lines:
    ledger = report.ledger
    if ledger is None:
        return
    yield Line("records", f"{ledger.records}", f"in {counted(ledger.chains, 'chain')}")
    signed = "" if ledger.last_checkpoint_ns is None else show(utc_text_from_ns(ledger.last_checkpoint_ns))
    yield Line("last checkpoint", signed or "none yet", f"{counted(ledger.since_checkpoint, 'record')} since")
    last = report.verified
    if last is None:
        yield Line("verified", "never here")
    elif last.report is None:
        yield Line("verified", "could not be", last.error, "bad")
    else:
        holds = last.report.holds
        value = "it holds" if holds else counted(len(last.report.problems), "problem")
        yield Line("verified", value, f"{show(last.ended_at)} by {last.by}", "good" if holds else "bad")


def _gallery(report: HealthReport) -> Lines:
    gallery = report.gallery
    photographs = counted(gallery.templates, "photograph")
    yield Line("people", f"{gallery.people}", f"{photographs}, epoch {gallery.epoch}")
    for kind, model in report.models.items():
        yield Line(kind, model, sign="bad" if kind == "missing" else "")
    yield Line("database", report.database)


def counted(count: int, what: str) -> str:
    """``1 hold``, ``2 holds``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def lasting(days: float) -> str:
    """How long something lasts, no more exactly than anybody can tell."""
    if days < 1:
        return "less than a day"
    if days > 365:
        return "more than a year"
    return f"about {days:.1f} days" if days < 10 else f"about {days:.0f} days"


def size(count: float) -> str:
    """Bytes as people read them, in powers of ten."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
