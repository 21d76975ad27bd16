"""The same for programs: ``/api/v1/alerts``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from workers.alerts.reading import AlertFilter
from workers.alerts.records import Alert, Event, Hit, State
from workers.alerts.rules import Kind, Severity
from workers.console.access.roles import Permission
from workers.console.alerts.service import MAX_PAGE, PAGE, AlertDesk
from workers.console.web.guard import Caller, guarded_router, needs

States = Annotated[list[State], Query()]
Severities = Annotated[list[Severity], Query()]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
Start = Annotated[int, Query(ge=0, le=1_000_000)]


@dataclass(frozen=True, slots=True)
class AlertBrief:
    """An alert; times are ISO 8601 UTC, `name` is of the person it is about."""

    id: str
    rule_id: str
    rule: str
    kind: Kind
    severity: Severity
    state: State
    reason: str
    merged_into: str | None
    subject_id: str | None
    name: str | None
    attack_suspected: bool
    first_at: str
    last_at: str
    camera: str
    cameras: tuple[str, ...]
    sightings: int
    assigned_to: str | None


@dataclass(frozen=True, slots=True)
class AlertsFound:
    """Alerts, open ones first; `next` is the `start` of the next page, `open` how many wait in all."""

    alerts: list[AlertBrief]
    open: int
    next: int | None


@dataclass(frozen=True, slots=True)
class AlertChanges:
    """`version` grows with every change of any alert; `open` is how many wait in all."""

    version: int
    open: int


@dataclass(frozen=True, slots=True)
class AlertFound:
    """An alert with its evidence (ids of decisions) and what became of it."""

    alert: AlertBrief
    evidence: tuple[Hit, ...]
    history: list[Event]


class Remark(BaseModel):
    """In words; may be left out."""

    model_config = ConfigDict(extra="forbid")

    note: str = ""


class Assignment(BaseModel):
    """Id of the user in charge; ``null``: nobody."""

    model_config = ConfigDict(extra="forbid")

    user_id: str | None


class AlertsApi:
    """Alerts, for programs.

    Args:
        desk: Does it.
    """

    def __init__(self, desk: AlertDesk) -> None:
        self._desk = desk

    @needs(Permission.READ_ALERTS)
    def list_alerts(
        self,
        caller: Caller,
        *,
        state: States = [],  # noqa: B006 - FastAPI copies it
        severity: Severities = [],  # noqa: B006
        rule_id: str | None = None,
        camera: str | None = None,
        subject_id: str | None = None,
        assigned_to: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        start: Start = 0,
        limit: Limit = PAGE,
    ) -> AlertsFound:
        """Open ones first, the most urgent and then the newest first; times need a zone."""
        wanted = AlertFilter(
            tuple(state), tuple(severity), rule_id, camera, subject_id, assigned_to, since, until
        )
        found = self._desk.page(caller, wanted, start, limit)
        brief = [_brief(alert, found.names.get(alert.subject_id or "")) for alert in found.alerts]
        return AlertsFound(brief, found.open, found.next)

    @needs(Permission.READ_ALERTS)
    def count_changes(self, caller: Caller) -> AlertChanges:
        """Whether to list alerts again; it says nothing about anybody, so that asking is not recorded."""
        return AlertChanges(self._desk.version(), self._desk.open_count(caller))

    @needs(Permission.READ_ALERTS)
    def show_alert(self, caller: Caller, alert_id: str) -> AlertFound:
        """One alert, with its evidence and its history."""
        shown = self._desk.show(caller, alert_id)
        name = shown.names.get(shown.alert.subject_id or "")
        return AlertFound(_brief(shown.alert, name), shown.alert.hits, list(shown.events))

    @needs(Permission.WRITE_ALERTS)
    def acknowledge_alert(self, caller: Caller, alert_id: str, remark: Remark | None = None) -> AlertFound:
        """Somebody saw to it; 409 where somebody else was faster."""
        self._desk.acknowledge(caller, alert_id, "" if remark is None else remark.note)
        return self.show_alert(caller, alert_id)

    @needs(Permission.WRITE_ALERTS)
    def reopen_alert(self, caller: Caller, alert_id: str, remark: Remark | None = None) -> AlertFound:
        """Nobody did, after all."""
        self._desk.reopen(caller, alert_id, "" if remark is None else remark.note)
        return self.show_alert(caller, alert_id)

    @needs(Permission.WRITE_ALERTS)
    def assign_alert(self, caller: Caller, alert_id: str, assignment: Assignment) -> AlertFound:
        """Put a user in charge."""
        self._desk.assign(caller, alert_id, assignment.user_id)
        return self.show_alert(caller, alert_id)

    @needs(Permission.WRITE_ALERTS)
    def remark_on_alert(self, caller: Caller, alert_id: str, remark: Remark) -> AlertFound:
        """Put down a remark."""
        self._desk.note(caller, alert_id, remark.note)
        return self.show_alert(caller, alert_id)

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["alerts"], prefix="/alerts")
        router.get("")(self.list_alerts)
        router.get("/changes")(self.count_changes)
        router.get("/{alert_id}")(self.show_alert)
        router.post("/{alert_id}/acknowledge")(self.acknowledge_alert)
        router.post("/{alert_id}/reopen")(self.reopen_alert)
        router.put("/{alert_id}/assigned")(self.assign_alert)
        router.post("/{alert_id}/notes", status_code=201)(self.remark_on_alert)
        return router


def _brief(alert: Alert, name: str | None) -> AlertBrief:
    return AlertBrief(
        id=alert.id,
        rule_id=alert.rule_id,
        rule=alert.rule,
        kind=alert.kind,
        severity=alert.severity,
        state=alert.state,
        reason=alert.reason,
        merged_into=alert.merged_into,
        subject_id=alert.subject_id,
        name=name,
        attack_suspected=alert.suspected,
        first_at=alert.first_at,
        last_at=alert.last_at,
        camera=alert.camera,
        cameras=alert.cameras,
        sightings=alert.sightings,
        assigned_to=alert.assigned_to,
    )
