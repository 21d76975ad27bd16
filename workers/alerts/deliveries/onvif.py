"""The same as an event in the manner of ONVIF, for video management systems that read those from MQTT."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from workers.alerts.deliveries.message import Message
from workers.alerts.rules import Kind

_TOPICS = {
    Kind.CAMERA: "VideoSource/SignalLoss",
    Kind.ATTACK: "RuleEngine/Recognition/Tampering",
}
_FACE = "RuleEngine/Recognition/Face"


def topic(message: Message) -> str:
    """Of the event, without the prefix of its namespace."""
    return _FACE if message.alert is None else _TOPICS.get(message.alert.kind, _FACE)


def event(message: Message) -> bytes:
    """The event as JSON: when, from where, and what."""
    alert = message.alert
    source = {"VideoSource": "test" if alert is None else alert.camera}
    data: dict[str, Any] = {"Event": message.event, "Link": message.link}
    if alert is not None:
        source["Rule"] = alert.rule if message.told_names else alert.rule_id
        data |= {
            "AlertId": alert.id,
            "State": alert.state,
            "Severity": alert.severity,
            "SubjectId": alert.subject_id,
            "Name": message.name,
            "Likelihood": alert.best.similarity,
            "AttackSuspected": alert.suspected,
            "Sighting": message.sighting_link,
        }
    told = {name: value for name, value in data.items() if value is not None}
    return msgspec.json.encode(
        {"Topic": f"tns1:{topic(message)}", "UtcTime": message.at, "Source": source, "Data": told}
    )


def mqtt_topic(prefix: str, message: Message) -> str:
    """Where the event is published; a camera's name cannot break out of its place."""
    camera = "test" if message.alert is None else message.alert.camera
    return f"{prefix}/onvif-ej/{topic(message)}/{quote(camera, safe=' ')}"
