"""Who is named in events: only to whoever may know, and recorded the first time that they are shown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from workers.console.access.principal import Principal
from workers.console.access.record import RecordAccess
from workers.console.access.roles import Permission
from workers.live.events import Event
from workers.live.state import CAMERA, SIGHTING, TROUBLE
from workers.names import Names

ALERT = "alert"

NEEDED = {
    SIGHTING: Permission.READ_LIVE,
    CAMERA: Permission.READ_LIVE,
    TROUBLE: Permission.READ_LIVE,
    ALERT: Permission.READ_ALERTS,
    "gauge": Permission.READ_HEALTH,
}
"""What one must be allowed to hear of a kind of event; of other kinds nobody hears."""

_OF_PEOPLE = ("subject", "candidate", "similarity", "decision")
_NAMES = {"subject": "name", "candidate": "nearest"}


class NamedEvents:
    """Makes events ready for one session.

    Args:
        names: Of subjects.
        record: Told whom the session has shown.
    """

    def __init__(self, names: Names, record: RecordAccess) -> None:
        self._names, self._record = names, record
        self._shown: set[str] = set()

    def bodies(self, principal: Principal, events: Sequence[Event]) -> list[dict[str, Any]]:
        """What is sent of the events that `principal` may hear of; waits for the database and the ledger.

        Raises:
            PinwatchError: it cannot be recorded, and so must not be shown.
        """
        heard = [event for event in events if principal.may(NEEDED.get(event.kind, Permission.ADMIN))]
        bodies = [_of_event(event) for event in heard]
        for body in bodies:
            if body["kind"] == SIGHTING and not principal.may(Permission.READ_SIGHTINGS):
                for key in _OF_PEOPLE:
                    body.pop(key, None)
        people = {body[key] for body in bodies for key in _NAMES if body.get(key)}
        names = self._shown_names(principal, people)
        for body in bodies:
            for key, name in _NAMES.items():
                if body.get(key):
                    body[name] = names.get(body[key], body.get(name) or body[key])
        return bodies

    def _shown_names(self, principal: Principal, people: Collection[str]) -> Mapping[str, str]:
        fresh = set(people) - self._shown
        if fresh:
            self._record(principal.who, "shown on the live wall", fresh)
            self._shown |= fresh
        return self._names(people) if people else {}


def _of_event(event: Event) -> dict[str, Any]:
    frame = {"id": event.id, "kind": event.kind, "camera": event.camera_id, "at_ns": event.at_ns}
    return {**event.body, **frame}


NewNamedEvents = Callable[[], NamedEvents]
