"""A broker with SASL/SCRAM over TLS: who has certificate and password gets in, and nobody else."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.bus import message, put, take, texts
from tests.kafka.broker import Broker
from tests.kafka.crew import Crew, environment
from workers.bus.base import Topic
from workers.bus.kafka.bus import KafkaBus
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.options import KafkaOptions, SecurityOptions
from workers.bus.kafka.topics import TopicAdmin

pytestmark = pytest.mark.kafka

USER, PASSWORD = "pinwatch", "staple-battery-horse"


@dataclass(frozen=True)
class Secured:
    """A running broker and the certificate that vouches for it."""

    broker: Broker
    certificate: Path

    def options(self, **security: Any) -> KafkaOptions:
        """For clients, with what a client must know, changed as told."""
        right = {
            "tls": True,
            "ca_file": self.certificate,
            "mechanism": "SCRAM-SHA-512",
            "username": USER,
            "password": PASSWORD,
        }
        return KafkaOptions(
            servers=self.broker.servers,
            partitions=1,
            start_s=3.0,
            security=SecurityOptions(**{**right, **security}),
        )


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Of 127.0.0.1, signed by itself; certificate and private key."""
    certificate, key = folder / "broker.crt", folder / "broker.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return certificate, key


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    certificate, key = make_certificate(folder)
    store = folder / "broker.pem"
    store.write_bytes(key.read_bytes() + certificate.read_bytes())
    settings = {
        "listener.security.protocol.map": "CLIENT:SASL_SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.client.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
    }
    broker = Broker(folder / "broker", settings=settings, users={USER: PASSWORD})
    broker.start()
    yield Secured(broker, certificate)
    broker.kill()


def test_messages_go_and_come_over_tls_with_a_password(secured: Secured) -> None:
    options, lane = secured.options(), Lane()
    with TopicAdmin(options) as admin:
        admin.create(lane)
    bus = KafkaBus(options, lane)
    put(bus, message("secret"))
    consumer = bus.consumer("g", [Topic.FACES])
    assert texts(take(consumer, 1)) == ["secret"]
    consumer.close()


def settings_of(secured: Secured, folder: Path, **more: str) -> dict[str, str]:
    """The environment of somebody who has everything, and `more`."""
    secret = folder / "password"
    secret.write_text(PASSWORD + "\n")
    right = {
        "PINWATCH_KAFKA__START_S": "3",
        "PINWATCH_KAFKA__SECURITY__TLS": "true",
        "PINWATCH_KAFKA__SECURITY__CA_FILE": str(secured.certificate),
        "PINWATCH_KAFKA__SECURITY__MECHANISM": "SCRAM-SHA-512",
        "PINWATCH_KAFKA__SECURITY__USERNAME": USER,
        "PINWATCH_KAFKA__SECURITY__PASSWORD_FILE": str(secret),
    }
    wanted = {name: value for name, value in {**right, **more}.items() if value}
    return environment(folder / "data", secured.broker.servers, "cli.", **wanted)


def test_secrets_come_from_files_and_are_never_shown(secured: Secured, tmp_path: Path) -> None:
    with Crew(settings_of(secured, tmp_path), tmp_path) as crew:
        assert "made cli.faces.v1" in crew.run("topics", "create")
        assert "as configured" in crew.run("topics", "check")
        assert PASSWORD not in crew.run("config", "show")


@pytest.mark.parametrize(
    "lacks",
    [
        {"PINWATCH_KAFKA__SECURITY__PASSWORD_FILE": "", "PINWATCH_KAFKA__SECURITY__PASSWORD": "guess"},
        {"PINWATCH_KAFKA__SECURITY__CA_FILE": ""},
        {"PINWATCH_KAFKA__SECURITY__CA_FILE": "", "PINWATCH_KAFKA__SECURITY__TLS": ""},
    ],
)
def test_whoever_lacks_something_stays_outside(
    secured: Secured, lacks: dict[str, str], tmp_path: Path
) -> None:
    with Crew(settings_of(secured, tmp_path, **lacks), tmp_path) as crew:
        error = crew.fail("topics", "check")
    assert "kafka.security" in error
    assert "guess" not in error
