"""Alerts for pages and API alike: only of cameras that the user sees, each look and each change recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException

from gallery.store import GalleryStore
from workers.alerts.handling import AlertConflict, By, Handling
from workers.alerts.reading import AlertFilter, AlertStore
from workers.alerts.records import Alert, Event
from workers.console.access.principal import Principal
from workers.console.access.record import RecordAccess
from workers.console.access.roles import PERMISSIONS, Permission
from workers.console.access.users import User, Users

PAGE = 50
MAX_PAGE = 200


@dataclass(frozen=True, slots=True)
class AlertsPage:
    """Some alerts, open ones first.

    Attributes:
        alerts: They.
        names: Of people they are about, by id.
        users: Names of users in charge, by id.
        open: How many wait for somebody, in all.
        next: Where the next page starts; ``None``: this is the last one.
        version: Of all alerts, before this was read; see :meth:`AlertStore.version`.
    """

    alerts: Sequence[Alert]
    names: Mapping[str, str]
    users: Mapping[str, str]
    open: int
    next: int | None
    version: int


@dataclass(frozen=True, slots=True)
class AlertShown:
    """One alert.

    Attributes:
        alert: It.
        names: Of people, by id.
        events: What became of it, in order.
        assigned_to: Name of the user in charge.
    """

    alert: Alert
    names: Mapping[str, str]
    events: Sequence[Event]
    assigned_to: str | None


class AlertDesk:
    """What users do with alerts.

    Args:
        store: Reads them.
        handling: Changes them.
        gallery: Names people.
        users: Who can be in charge.
        record: Told who looked at whom, and who changed what.
    """

    def __init__(
        self,
        store: AlertStore,
        handling: Handling,
        gallery: GalleryStore,
        users: Users,
        record: RecordAccess,
    ) -> None:
        self._store, self._handling, self._gallery = store, handling, gallery
        self._users, self._record = users, record

    def page(
        self, principal: Principal, wanted: AlertFilter, start: int = 0, limit: int = PAGE
    ) -> AlertsPage:
        """Open ones first, the most urgent and then the newest first."""
        version = self.version()
        found = self._store.find(wanted, principal.cameras, start, limit + 1)
        shown = found[:limit]
        names = self._named(principal, "alerts listed", shown)
        more = start + limit if len(found) > limit else None
        users = {user.id: user.name for user in self._users.all()}
        return AlertsPage(shown, names, users, self.open_count(principal), more, version)

    def show(self, principal: Principal, alert_id: str) -> AlertShown:
        """One alert. Raises ``HTTPException`` 404 where there is none, or none that the user may see."""
        alert = self._alert(principal, alert_id)
        names = self._named(principal, f"alert {alert.id} shown", [alert])
        events = self._store.events(alert.id, principal.cameras)
        user = None if alert.assigned_to is None else self._users.get(alert.assigned_to)
        return AlertShown(alert, names, events, None if user is None else user.name)

    def version(self) -> int:
        """Grows with every change of any alert."""
        return self._store.version()

    def open_count(self, principal: Principal) -> int:
        """How many alerts wait for somebody."""
        return self._store.open_count(principal.cameras)

    def acknowledge(self, principal: Principal, alert_id: str, note: str = "") -> None:
        """Say that somebody saw to it. Raises ``HTTPException``: 404, or 409 where somebody was faster."""
        alert = self._begin(principal, alert_id, "to be acknowledged")
        with_conflict(lambda: self._handling.acknowledge(alert.id, _by(principal), note))

    def reopen(self, principal: Principal, alert_id: str, note: str = "") -> None:
        """Take an acknowledgement back. Raises ``HTTPException``: 404, 409."""
        alert = self._begin(principal, alert_id, "to be reopened")
        with_conflict(lambda: self._handling.reopen(alert.id, _by(principal), note))

    def assign(self, principal: Principal, alert_id: str, user_id: str | None) -> None:
        """Put a user in charge, or nobody. Raises ``HTTPException`` 404, ``UsageError``."""
        alert = self._begin(principal, alert_id, f"to be assigned to {user_id or 'nobody'}")
        self._handling.assign(alert.id, _by(principal), user_id)

    def note(self, principal: Principal, alert_id: str, text: str) -> None:
        """Put down a remark. Raises ``HTTPException`` 404, ``UsageError``."""
        alert = self._begin(principal, alert_id, "remarked on")
        self._handling.note(alert.id, _by(principal), text)

    def able(self) -> list[User]:
        """Who can be put in charge."""
        return [
            user
            for user in self._users.all()
            if not user.disabled and Permission.WRITE_ALERTS in PERMISSIONS[user.role]
        ]

    def _begin(self, principal: Principal, alert_id: str, what: str) -> Alert:
        """Recorded before it is done: what fails afterwards was tried."""
        alert = self._alert(principal, alert_id)
        about = [] if alert.subject_id is None else [alert.subject_id]
        self._record(principal.who, f"alert {alert.id} {what}", about)
        return alert

    def _alert(self, principal: Principal, alert_id: str) -> Alert:
        alert = self._store.get(alert_id, principal.cameras)
        if alert is None:
            raise HTTPException(404, "there is no such alert, or none that you may see")
        return alert

    def _named(self, principal: Principal, what: str, shown: Sequence[Alert]) -> dict[str, str]:
        about = {alert.subject_id for alert in shown if alert.subject_id is not None}
        self._record(principal.who, what, about)
        return self._gallery.names(about)


def with_conflict(change: Callable[[], None]) -> None:
    """Do it, or answer 409 where somebody was faster."""
    try:
        change()
    except AlertConflict as error:
        raise HTTPException(409, str(error)) from None


def _by(principal: Principal) -> By:
    return By(principal.user_id, principal.name)
