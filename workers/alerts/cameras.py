"""Alerts about cameras that show nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

import structlog
from sqlalchemy import Connection, insert, select, update

from gallery.database import Database
from gallery.tables import alert_hits
from gallery.times import utc_text_from_ns
from pipeline.errors import PinwatchError
from pipeline.redact import redact
from pipeline.sources.worker import Worker
from workers.alerts.changing import add_event, raise_version, set_alert
from workers.alerts.claims import Claim, digest
from workers.alerts.engine import Changed
from workers.alerts.records import Happened
from workers.alerts.rule_store import CurrentRules
from workers.alerts.rules import Kind, Rule
from workers.alerts.visits import Cause, Visits

log = structlog.get_logger(__name__)

EVERY_S = 2.0
DEAD, BACK = "dead", "back"


@dataclass(frozen=True, slots=True)
class CameraReport:
    """How a camera is.

    Attributes:
        camera_id: Which.
        dead: Whether it shows nothing.
        since_ns: Since when that is so, nanoseconds since 1970 UTC.
        detail: Why, in words.
    """

    camera_id: str
    dead: bool
    since_ns: int
    detail: str = ""


class CameraAlerts:
    """Raises alerts for rules of the kind ``camera``; one thread at a time.

    An outage is told by its camera and since when it lasts, so it raises one alert however often it is
    reported. When the camera is back the alert says so, and stays until somebody has seen to it.

    Args:
        database: Where alerts are kept.
        zone: Of the clocks that schedules go by.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
        on_change: Told of what is new.
    """

    def __init__(
        self, database: Database, zone: tzinfo, now_ns: Callable[[], int], on_change: Changed
    ) -> None:
        self._database, self._zone, self._now_ns, self._on_change = database, zone, now_ns, on_change
        self._rules = CurrentRules()

    def report(self, reports: Sequence[CameraReport]) -> None:
        """How cameras are now. Raises ``StorageError``."""
        now_ns = self._now_ns()
        with self._database.read() as connection:
            rules = [rule for rule in self._rules.on(connection) if rule.when.kind is Kind.CAMERA]
            known = _outages(connection, reports)
        new = [
            (rule, report)
            for rule in rules
            for report in reports
            if self._asks(rule, report, now_ns) and not _told(known, rule, report)
        ]
        alive = {report.camera_id: report for report in reports if not report.dead}
        back = {
            hit_id: alive[outage.camera_id]
            for hit_id, outage in known.items()
            if outage.until is None and outage.camera_id in alive
        }
        if new or back:
            self._write(new, back, now_ns)

    def _asks(self, rule: Rule, report: CameraReport, now_ns: int) -> bool:
        if not report.dead or not rule.covers(report.camera_id):
            return False
        since, now = (datetime.fromtimestamp(ns / 1e9, UTC) for ns in (report.since_ns, now_ns))
        long_enough = now_ns - report.since_ns >= rule.when.after_s * 1e9
        return long_enough and rule.schedule.holds(since, now, self._zone)

    def _write(
        self, new: Sequence[tuple[Rule, CameraReport]], back: dict[str, CameraReport], now_ns: int
    ) -> None:
        with self._database.write() as connection:
            version = raise_version(connection)
            visits = Visits(connection, version, now_ns)
            known = _outages(connection, [report for _, report in new])
            for rule, report in new:
                if not _told(known, rule, report):
                    _raise(connection, visits, rule, report)
            changed = {_close(connection, version, hit_id, report) for hit_id, report in back.items()}
        self._on_change(frozenset(visits.changed | changed))


def _hit_id(rule: Rule, report: CameraReport) -> str:
    return digest("camera", rule.id, report.camera_id, report.since_ns)


def _track(camera_id: str) -> str:
    """In the place of a track, under which the outages of a camera are found."""
    return digest("camera", camera_id)


@dataclass(frozen=True, slots=True)
class _Outage:
    """One that was told of: of which camera, under which rule, and when it ended; ``None``: it lasts."""

    camera_id: str
    rule_id: str
    until: str | None


def _outages(connection: Connection, reports: Sequence[CameraReport]) -> dict[str, _Outage]:
    """The outages of these cameras, by the id of their evidence."""
    tracks = {_track(report.camera_id) for report in reports}
    rows = connection.execute(select(alert_hits).where(alert_hits.c.track.in_(tracks))).mappings()
    return {
        row["hit_id"]: _Outage(
            row["camera_id"], row["rule_id"], None if row["outcome"] == DEAD else row["last_at"]
        )
        for row in rows
    }


def _told(known: dict[str, _Outage], rule: Rule, report: CameraReport) -> bool:
    """Whether this outage is known, maybe under another moment.

    Who reports it may have begun anew, and several consoles each date by themselves that a reader is dead:
    one of them may not know yet that it is back.
    """
    since = utc_text_from_ns(report.since_ns)
    return _hit_id(rule, report) in known or any(
        (outage.camera_id, outage.rule_id) == (report.camera_id, rule.id)
        and (outage.until is None or since < outage.until)
        for outage in known.values()
    )


def _raise(connection: Connection, visits: Visits, rule: Rule, report: CameraReport) -> None:
    at, hit_id = utc_text_from_ns(report.since_ns), _hit_id(rule, report)
    claim = Claim(rule, str(Kind.CAMERA), f"camera:{digest(report.camera_id)}", None)
    alert_id = visits.place(claim, hit_id, at, at, None)
    values = {
        "hit_id": hit_id,
        "alert_id": alert_id,
        "rule_id": rule.id,
        "who": claim.who,
        "claim": claim.claim,
        "track": _track(report.camera_id),
        "camera_id": report.camera_id,
        "first_at": at,
        "last_at": at,
        "live": True,
        "place": 0,
        "decision_id": "",
        "outcome": DEAD,
    }
    connection.execute(insert(alert_hits).values(**values))
    detail = redact(report.detail)
    why = f"no pictures: {detail}" if detail else "no pictures"
    visits.settle(alert_id, rule, Cause(why, at, report.camera_id))


def _close(connection: Connection, version: int, hit_id: str, report: CameraReport) -> str:
    """The camera shows pictures again; the alert that says so."""
    at, mine = utc_text_from_ns(report.since_ns), alert_hits.c.hit_id == hit_id
    row = connection.execute(select(alert_hits).where(mine)).mappings().one()
    last_at = max(at, row["last_at"])
    connection.execute(update(alert_hits).where(mine).values(outcome=BACK, last_at=last_at))
    alert_id = str(row["alert_id"])
    set_alert(connection, alert_id, last_at=last_at, version=version)
    text, camera_id = "pictures again", report.camera_id
    add_event(connection, alert_id, last_at, Happened.CAMERA_BACK, text, camera_id=camera_id)
    return alert_id


class CameraWatch:
    """Asks every other second how cameras are, in a thread of its own.

    Args:
        reports: How they are.
        alerts: Told.
        every_s: How often.
    """

    def __init__(
        self,
        reports: Callable[[], Sequence[CameraReport]],
        alerts: CameraAlerts,
        every_s: float = EVERY_S,
    ) -> None:
        self._reports, self._alerts, self._every_s = reports, alerts, every_s
        self._ended = threading.Event()
        self._worker = Worker(self._run, self._ended.set, name="alerts cameras")

    def start(self) -> None:
        """Begin; once."""
        self._worker.start()

    def close(self) -> None:
        """Return when the thread has ended; safe twice, and before :meth:`start`."""
        self._worker.close()

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            try:
                self._alerts.report(self._reports())
            except PinwatchError as error:
                log.warning("alerts about cameras are not written; trying again", error=str(error))
