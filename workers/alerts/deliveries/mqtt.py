"""Publishes alerts to an MQTT broker, as what they are and as events in the manner of ONVIF."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from workers.alerts.deliveries import onvif
from workers.alerts.deliveries.message import Message
from workers.alerts.deliveries.receiver import Receiver
from workers.alerts.deliveries.sending import TIMEOUT_S, NotTaken
from workers.config import MqttSettings

QOS = 1
"""At least once, and the broker says so."""


class Mqtt:
    """One connection a message: alerts are rare, and no connection that was lost is ever believed in.

    Args:
        settings: The broker.
        timeout_s: For the connection, and for its answer.
    """

    def __init__(self, settings: MqttSettings, timeout_s: float = TIMEOUT_S) -> None:
        self._settings, self._timeout_s = settings, timeout_s

    def send(self, receiver: Receiver, message: Message) -> None:
        """See :class:`Sends`."""
        if not self._settings.host:
            raise NotTaken("there is no broker: set alerts.mqtt.host")
        last = "test" if message.alert is None else quote(message.alert.id, safe="")
        own = f"{receiver.topic}/alerts/{last}", message.body()
        told = [own, (onvif.mqtt_topic(receiver.topic, message), onvif.event(message))]
        try:
            self._publish(told)
        except (OSError, ValueError, RuntimeError) as error:
            said = getattr(error, "strerror", None) or error
            raise NotTaken(f"the broker {self._settings.host} does not take it: {said}") from error

    def _publish(self, told: Sequence[tuple[str, bytes]]) -> None:
        answer = _Answer()
        client = self._client(answer)
        client.connect(self._settings.host, self._settings.port, keepalive=30)
        client.loop_start()
        try:
            answer.wait(self._timeout_s)
            for topic, body in told:
                published = client.publish(topic, body, qos=QOS)
                published.wait_for_publish(self._timeout_s)
                if not published.is_published():
                    raise OSError("it did not say in time that it has it")
        finally:
            client.disconnect()
            client.loop_stop()

    def _client(self, answer: _Answer) -> Client:
        settings = self._settings
        client = Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        client.connect_timeout = self._timeout_s
        if settings.tls:
            cafile = None if settings.ca_file is None else str(settings.ca_file)
            client.tls_set_context(ssl.create_default_context(cafile=cafile))
        if settings.user:
            client.username_pw_set(settings.user, settings.password.get_secret_value())
        client.on_connect = answer.connected
        return client


class _Answer:
    """What the broker answers to a connection."""

    def __init__(self) -> None:
        self._came = threading.Event()
        self._refused: str | None = None

    def connected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._refused = str(reason) if reason.is_failure else None
        self._came.set()

    def wait(self, timeout_s: float) -> None:
        if not self._came.wait(timeout_s):
            raise OSError("it does not answer")
        if self._refused is not None:
            raise OSError(self._refused)
