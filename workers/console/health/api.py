"""The same for programs: ``/api/v1/health``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from fastapi import APIRouter

from workers.console.access.roles import Permission
from workers.console.health.service import Health, HealthReport
from workers.console.health.verdict import Verdict, verdict
from workers.console.health.words import Table, tables
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.times import TimeZone


@dataclass(frozen=True, slots=True)
class HealthFound:
    """Whether all is well.

    Attributes:
        at: When, ISO 8601 UTC.
        at_shown: The same as people read it.
        verdict: In sentences.
        facts: All that was measured, in bytes, seconds and ISO 8601.
        tables: The same in the words of the page.
    """

    at: str
    at_shown: str
    verdict: Verdict
    facts: dict[str, Any]
    tables: list[Table]


class HealthApi:
    """Health, for programs.

    Args:
        health: Looks.
        zone: In which times are shown in `tables`.
    """

    def __init__(self, health: Health, zone: TimeZone) -> None:
        self._health, self._zone = health, zone

    @needs(Permission.READ_HEALTH)
    def show_health(self, caller: Caller) -> HealthFound:
        """Whether all is well: cameras, pipeline, machine, footage, ledger, gallery, models."""
        report = self._health.look(caller)
        shown = tables(report, self._zone.show)
        return HealthFound(report.at, self._zone.show(report.at), verdict(report), _facts(report), shown)

    def router(self) -> APIRouter:
        """Its only route."""
        router = guarded_router(tags=["health"])
        router.get("/health")(self.show_health)
        return router


def _facts(report: HealthReport) -> dict[str, Any]:
    cameras = [
        {
            "camera": camera.name,
            "enabled": camera.enabled,
            "status": None if status is None else status.as_record(),
        }
        for camera, status in report.cameras
    ]
    return {
        "cameras": cameras,
        "unlisted": [{"camera": one.camera_id, "status": one.as_record()} for one in report.unlisted],
        "steps": [asdict(step) for step in report.steps],
        "ages": None if report.ages is None else asdict(report.ages),
        "lags": [asdict(lag) for lag in report.lags],
        "machine": asdict(report.machine),
        "disk_lasts_days": report.lasts_days,
        "footage": None if report.footage is None else [asdict(one) for one in report.footage],
        "keep_unknown_days": report.keep_unknown_days,
        "ledger": None if report.ledger is None else asdict(report.ledger),
        "verified": None if report.verified is None else asdict(report.verified),
        "gallery": asdict(report.gallery),
        "models": dict(report.models),
        "receivers": [
            {
                "receiver": state.receiver.name,
                "waiting": state.waiting,
                "given_up": state.given_up,
                "failures": state.failures,
                "last_sent_at": state.last_sent_at,
            }
            for state in report.receivers
        ],
        "alarms": [asdict(alarm) for alarm in report.alarms],
        "database": report.database,
    }
