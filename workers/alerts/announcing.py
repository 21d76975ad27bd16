"""What whoever watches live is told of an alert."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workers.alerts.follow import Announce
from workers.alerts.records import Alert

ALERT = "alert"

Tell = Callable[[str, str | None, Mapping[str, Any]], int]
"""See :meth:`workers.live.hub.LiveHub.announce`."""


def to_viewers(tell: Tell) -> Announce:
    """Announces alerts with ids of people, never names; whoever shows them knows who may read those."""

    def announce(alert: Alert, fresh: bool) -> None:
        body = {
            "alert_id": alert.id,
            "state": alert.state.value,
            "rule": alert.rule,
            "severity": alert.severity.value,
            "kind": alert.kind.value,
            "camera": alert.camera,
            "subject": alert.subject_id,
            "suspected": alert.suspected,
            "sound": fresh and alert.sound,
        }
        tell(ALERT, alert.camera, body)

    return announce
