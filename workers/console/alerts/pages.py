"""Pages about alerts."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers.alerts.reading import AlertFilter
from workers.alerts.records import Alert, State
from workers.alerts.rules import Severity
from workers.console.access.groups import CameraGroups
from workers.console.access.roles import Permission
from workers.console.alerts.service import PAGE, AlertDesk
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages, go_to

States = Annotated[list[State], Query()]
Severities = Annotated[list[Severity], Query()]
Start = Annotated[int, Query(ge=0, le=1_000_000)]
Note = Annotated[str, Form()]


class AlertPages:
    """The list, and a page an alert.

    Args:
        desk: Does it.
        groups: Knows the cameras.
        pages: Draws.
    """

    def __init__(self, desk: AlertDesk, groups: CameraGroups, pages: Pages) -> None:
        self._desk, self._groups, self._pages = desk, groups, pages

    @needs(Permission.READ_ALERTS)
    def show_all(
        self,
        request: Request,
        caller: Caller,
        *,
        state: States = [],  # noqa: B006 - FastAPI copies it
        severity: Severities = [],  # noqa: B006
        camera: str = "",
        mine: bool = False,
        since: str = "",
        until: str = "",
        start: Start = 0,
    ) -> Response:
        """What waits for somebody first."""
        zone = self._pages.zone
        wanted = AlertFilter(
            states=tuple(state),
            severities=tuple(severity),
            camera_id=camera or None,
            assigned_to=caller.user_id if mine else None,
            since=zone.typed(since),
            until=zone.typed(until),
        )
        found = self._desk.page(caller, wanted, start)
        typed = {"state": state, "severity": severity, "camera": camera, "since": since, "until": until}
        kept = [(name, value) for name, value in {**typed, "mine": "true" if mine else ""}.items() if value]
        next_query = urlencode([*kept, ("start", found.next)], doseq=True) if found.next else None
        values: dict[str, Any] = {
            **typed,
            "mine": mine,
            "found": found,
            "states": list(State),
            "severities": list(reversed(Severity)),
            "cameras": [name for name in self._groups.known_cameras() if caller.sees(name)],
            "first_query": urlencode(kept, doseq=True),
            "next_query": next_query,
            "back_query": urlencode([*kept, ("start", max(0, start - PAGE))], doseq=True) if start else None,
        }
        return self._pages.page(request, "alerts.html", **values)

    @needs(Permission.READ_ALERTS)
    def show(self, request: Request, caller: Caller, alert_id: str) -> Response:
        """What fired, on what evidence, and what became of it."""
        return self._alert(request, caller, alert_id)

    def _alert(
        self, request: Request, caller: Caller, alert_id: str, problem: str = "", status: int = 200
    ) -> Response:
        shown = self._desk.show(caller, alert_id)
        values = {"shown": shown, "hits": _newest_first(shown.alert), "problem": problem}
        able = self._desk.able() if caller.may(Permission.WRITE_ALERTS) else []
        return self._pages.page(request, "alert.html", status=status, able=able, **values)

    @needs(Permission.WRITE_ALERTS)
    def acknowledge(self, request: Request, caller: Caller, alert_id: str, note: Note = "") -> Response:
        """Somebody saw to it."""
        try:
            self._desk.acknowledge(caller, alert_id, note)
        except HTTPException as error:
            return self._conflict(request, caller, alert_id, error)
        return go_to(f"/alerts/{alert_id}")

    @needs(Permission.WRITE_ALERTS)
    def reopen(self, request: Request, caller: Caller, alert_id: str, note: Note = "") -> Response:
        """Nobody did, after all."""
        try:
            self._desk.reopen(caller, alert_id, note)
        except HTTPException as error:
            return self._conflict(request, caller, alert_id, error)
        return go_to(f"/alerts/{alert_id}")

    def _conflict(self, request: Request, caller: Caller, alert_id: str, error: HTTPException) -> Response:
        """Whoever was slower sees how the alert stands now, and who was faster."""
        if error.status_code != 409:
            raise error
        return self._alert(request, caller, alert_id, str(error.detail), 409)

    @needs(Permission.WRITE_ALERTS)
    def assign(self, caller: Caller, alert_id: str, user_id: Annotated[str, Form()] = "") -> Response:
        """Put a user in charge, or nobody."""
        self._desk.assign(caller, alert_id, user_id or None)
        return go_to(f"/alerts/{alert_id}")

    @needs(Permission.WRITE_ALERTS)
    def note(self, caller: Caller, alert_id: str, text: Note = "") -> Response:
        """A remark."""
        self._desk.note(caller, alert_id, text)
        return go_to(f"/alerts/{alert_id}")

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["pages: alerts"], prefix="/alerts", default_response_class=Response)
        router.get("")(self.show_all)
        router.get("/{alert_id}")(self.show)
        router.post("/{alert_id}/acknowledge")(self.acknowledge)
        router.post("/{alert_id}/reopen")(self.reopen)
        router.post("/{alert_id}/assign")(self.assign)
        router.post("/{alert_id}/notes")(self.note)
        return router


def _newest_first(alert: Alert) -> list[Any]:
    return sorted(alert.hits, key=lambda hit: hit.last_at, reverse=True)[:200]
