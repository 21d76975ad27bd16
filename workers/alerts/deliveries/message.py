"""What somebody elsewhere is told of an alert: what, where, when, how sure, and a link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec

from workers.alerts.records import Alert


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        key: The same for every attempt.
        event: What became of the alert, or ``test``.
        at: When, ISO 8601 UTC.
        alert: Which; ``None`` for a test.
        name: Of whom it is about, where the receiver may know it.
        public: Address of the console, for links.
        told_names: Whether what people wrote, such as a rule's name, may be told.
    """

    key: str
    event: str
    at: str
    alert: Alert | None
    name: str | None
    public: str
    told_names: bool

    @property
    def link(self) -> str:
        """The alert in the console."""
        return self.public if self.alert is None else f"{self.public}/alerts/{quote(self.alert.id, safe='')}"

    @property
    def sighting_link(self) -> str | None:
        """The decision to look at first; from there the footage is reached."""
        decision = "" if self.alert is None else self.alert.best.decision_id
        return f"{self.public}/sightings/{quote(decision, safe='')}" if decision else None

    def fields(self) -> dict[str, Any]:
        """For programs."""
        told: dict[str, Any] = {"event": self.event, "key": self.key, "at": self.at, "link": self.link}
        if self.alert is None:
            return told
        alert = self.alert
        told |= {
            "alert_id": alert.id,
            "state": alert.state,
            "kind": alert.kind,
            "severity": alert.severity,
            "rule_id": alert.rule_id,
            "camera": alert.camera,
            "cameras": list(alert.cameras),
            "first_seen_at": alert.first_at,
            "last_seen_at": alert.last_at,
            "sightings": alert.sightings,
            "subject_id": alert.subject_id,
            "outcome": alert.best.outcome,
            "similarity": alert.best.similarity,
            "attack_suspected": alert.suspected,
            "reason": alert.reason,
            "sighting": self.sighting_link,
        }
        if self.told_names:
            told |= {"rule": alert.rule, "name": self.name}
        return told

    def body(self) -> bytes:
        """As JSON."""
        return msgspec.json.encode(self.fields())

    def subject(self) -> str:
        """In one line."""
        if self.alert is None:
            return "Pinwatch: a test"
        alert = self.alert
        who = f", {self.name}" if self.name else ""
        rule = f" {alert.rule}" if self.told_names else f" {alert.kind.replace('_', ' ')}"
        return f"Pinwatch {alert.severity}:{rule}{who}, {alert.camera} ({self.event})"

    def text(self) -> str:
        """In some lines."""
        if self.alert is None:
            return f"This is a test. Alerts of Pinwatch arrive here.\n\n{self.link}\n"
        lines = [f"{name.replace('_', ' ')}: {value}" for name, value in self._told().items()]
        return "\n".join([self.subject(), "", *lines, ""])

    def _told(self) -> dict[str, Any]:
        left_out = ("key", "kind", "rule_id")
        return {
            name: ", ".join(value) if isinstance(value, list) else value
            for name, value in self.fields().items()
            if name not in left_out and value not in (None, "", False)
        }
