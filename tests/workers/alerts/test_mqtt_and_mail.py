"""Alerts by MQTT, to a real broker, and by e-mail, to a real server."""

from __future__ import annotations

import gc
import json
import ssl
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import SecretStr

from tests.conftest import Requirement, need
from tests.kafka.broker import free_port
from tests.workers.alerts.broker import PASSWORD, USER, running
from tests.workers.alerts.servers import certificate
from workers.alerts.deliveries.mail import Mail
from workers.alerts.deliveries.message import Message
from workers.alerts.deliveries.mqtt import Mqtt
from workers.alerts.deliveries.receiver import Receiver, Way
from workers.alerts.deliveries.sending import NotTaken, Refused
from workers.alerts.records import Alert, Hit, State
from workers.alerts.rules import Kind, Severity
from workers.config import MailSettings, MqttSettings

PUBLIC = "https://pinwatch.example.org"


def make_message(name: str | None = None, camera: str = "gate", **changed: Any) -> Message:
    at = "2025-01-31T08:00:01.000000Z"
    values: dict[str, Any] = {
        "id": "alert1", "rule_id": "rule1", "rule": "banned", "kind": Kind.LIST,
        "severity": Severity.CRITICAL, "sound": True, "state": State.OPEN, "reason": "", "merged_into": None,
        "subject_id": "subject1", "suspected": True, "first_at": at, "last_at": at, "sightings": 1,
        "cameras": (camera,), "hits": (Hit(camera, at, at, True, "decision1", "known", 0.81),),
        "assigned_to": None, "version": 1, "turn": 1,
    }  # fmt: skip
    alert = Alert(**{**values, **changed})
    return Message("key1", "raised", at, alert, name, PUBLIC, name is not None)


@pytest.fixture
def certified(tmp_path: Path) -> tuple[Path, Path]:
    return certificate(tmp_path)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    need(Requirement.MQTT)
    (tmp_path / "broker").mkdir()
    with running(tmp_path / "broker") as port:
        yield port


class Listener:
    """Hears everything that is published."""

    def __init__(self, port: int) -> None:
        self.heard: dict[str, dict[str, Any]] = {}
        self.qos: set[int] = set()
        self._ready, self._two = threading.Event(), threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(USER, PASSWORD)
        self._client.on_subscribe = lambda *ignored: self._ready.set()
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("#", qos=1)
        self._client.loop_start()
        assert self._ready.wait(10)

    def _hear(self, _client: Any, _data: Any, message: Any) -> None:
        self.heard[message.topic] = json.loads(message.payload)
        self.qos.add(message.qos)
        if len(self.heard) == 2:
            self._two.set()

    def both(self) -> dict[str, dict[str, Any]]:
        assert self._two.wait(10)
        self._client.disconnect()
        self._client.loop_stop()
        return self.heard


RECEIVER = Receiver("r1", "broker", Way.MQTT, topic="site/pinwatch")


def settings(port: int, **changed: Any) -> MqttSettings:
    given = {"host": "127.0.0.1", "port": port, "tls": False, "user": USER, "password": SecretStr(PASSWORD)}
    return MqttSettings(**{**given, **changed})


def test_an_alert_is_published_as_what_it_is_and_as_an_event(broker: int) -> None:
    listener = Listener(broker)
    Mqtt(settings(broker)).send(RECEIVER, make_message("Ada", "gate/+#"))
    heard = listener.both()
    own = heard["site/pinwatch/alerts/alert1"]
    assert (own["event"], own["name"], own["link"]) == ("raised", "Ada", f"{PUBLIC}/alerts/alert1")
    event = heard["site/pinwatch/onvif-ej/RuleEngine/Recognition/Face/gate%2F%2B%23"]
    assert event["Topic"] == "tns1:RuleEngine/Recognition/Face"
    assert event["UtcTime"] == "2025-01-31T08:00:01.000000Z"
    assert event["Source"] == {"VideoSource": "gate/+#", "Rule": "banned"}
    assert event["Data"]["Likelihood"] == 0.81
    assert event["Data"]["AttackSuspected"] is True
    assert event["Data"]["Sighting"] == f"{PUBLIC}/sightings/decision1"
    assert listener.qos == {1}


def test_without_leave_no_name_is_published(broker: int) -> None:
    listener = Listener(broker)
    Mqtt(settings(broker)).send(RECEIVER, make_message())
    heard = listener.both()
    assert "Name" not in json.dumps(heard)
    assert "banned" not in json.dumps(heard)


def test_a_wrong_password_and_a_broker_that_is_not_there_are_told(broker: int) -> None:
    with pytest.raises(NotTaken, match=r"does not take it: (Not authorized|Bad user)") as caught:
        Mqtt(settings(broker, password=SecretStr("wrong battery"))).send(RECEIVER, make_message())
    assert "battery" not in str(caught.value)
    with pytest.raises(NotTaken, match=r"refused"):
        Mqtt(settings(free_port())).send(RECEIVER, make_message())
    with pytest.raises(NotTaken, match=r"alerts\.mqtt\.host"):
        Mqtt(MqttSettings()).send(RECEIVER, make_message())


# paho leaves a connection that is not trusted to the garbage collector.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
def test_over_tls_only_a_broker_that_is_who_it_says(tmp_path: Path, certified: tuple[Path, Path]) -> None:
    need(Requirement.MQTT)
    (tmp_path / "broker").mkdir()
    with running(tmp_path / "broker", certified) as port:
        Mqtt(settings(port, tls=True, ca_file=certified[0])).send(RECEIVER, make_message())
        with pytest.raises(NotTaken, match=r"certificate"):
            Mqtt(settings(port, tls=True)).send(RECEIVER, make_message())
    gc.collect()


class Mailbox:
    """Takes mail."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.refusal: str | None = None

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it so
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.refusal is not None:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append((list(envelope.rcpt_tos), mail))
        return "250 OK"


@pytest.fixture
def mailbox(certified: tuple[Path, Path]) -> Iterator[tuple[Mailbox, int]]:
    """A server that takes mail only encrypted and from whoever knows the password."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certified)

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        right = (data.login, data.password) == (b"alerts", b"correct horse")
        return AuthResult(success=right, handled=False)

    box = Mailbox()
    controller = Controller(
        box, "127.0.0.1", free_port(), tls_context=context, require_starttls=True, authenticator=check,
        auth_required=True,
    )  # fmt: skip
    controller.start()
    yield box, controller.port
    controller.stop()


TO = Receiver("r2", "guards", Way.MAIL, addresses=("ann@example.org", "ben@example.org"))


def mail(port: int, certified: tuple[Path, Path] | None, **changed: Any) -> Mail:
    given = {"host": "127.0.0.1", "port": port, "user": "alerts", "password": SecretStr("correct horse")}
    trust = None if certified is None else ssl.create_default_context(cafile=str(certified[0]))
    return Mail(MailSettings(**{**given, "sender": "pinwatch@example.org", **changed}), trust=trust)


def test_an_alert_is_mailed_over_tls(mailbox: tuple[Mailbox, int], certified: tuple[Path, Path]) -> None:
    box, port = mailbox
    mail(port, certified).send(TO, make_message("Ada Löve\nlace"))
    mail(port, certified).send(TO, make_message())
    (addresses, first), (_, second) = box.mails
    assert addresses == ["ann@example.org", "ben@example.org"]
    assert first["Subject"] == "Pinwatch critical: banned, Ada Löve lace, gate (raised)"
    assert f"link: {PUBLIC}/alerts/alert1" in first.get_content()
    assert "similarity: 0.81" in first.get_content()
    assert first["Message-ID"] == second["Message-ID"]
    assert "Ada" not in second.as_string()
    assert "banned" not in second.as_string()


def test_no_mail_goes_to_a_server_that_is_not_who_it_says(
    mailbox: tuple[Mailbox, int], certified: tuple[Path, Path]
) -> None:
    box, port = mailbox
    with pytest.raises(NotTaken, match="does not take it"):
        mail(port, None).send(TO, make_message())
    with pytest.raises(NotTaken, match="SMTPAuthenticationError"):
        mail(port, certified, password=SecretStr("wrong battery")).send(TO, make_message())
    with pytest.raises(NotTaken, match="refused"):
        mail(free_port(), certified).send(TO, make_message())
    assert box.mails == []


def test_addresses_that_the_server_does_not_know_are_not_tried_again(
    mailbox: tuple[Mailbox, int], certified: tuple[Path, Path]
) -> None:
    box, port = mailbox
    box.refusal = "550 no such user"
    with pytest.raises(Refused, match="none of the addresses"):
        mail(port, certified).send(TO, make_message())
    box.refusal = "451 later"
    with pytest.raises(NotTaken, match="at the moment"):
        mail(port, certified).send(TO, make_message())
