"""How Kafka is reached, and what its topics are like."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from pipeline.errors import ConfigError

MAX_RETENTION_S = 3600
"""Faces and embeddings are personal data in transit: longer than an hour they stay nowhere but where they are
meant to be kept."""


class SecurityOptions(BaseModel):
    """How the connection is protected. Secrets come from files or the environment, never from a command line.

    Attributes:
        tls: Whether to speak TLS.
        ca_file: Certificates (PEM) that the broker's is checked against; the system's where not set.
        certificate_file: Our own certificate (PEM), where the broker wants one.
        key_file: Its private key (PEM).
        mechanism: SASL mechanism to log in with; not at all where not set.
        username: For SASL.
        password: For SASL; PINWATCH_KAFKA__SECURITY__PASSWORD in the environment.
        password_file: A file that holds it instead, such as a mounted secret.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tls: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None

    @model_validator(mode="after")
    def _complete(self) -> SecurityOptions:
        if self.mechanism and not (self.username and (self.password or self.password_file)):
            raise ValueError("a SASL mechanism needs username, and password or password_file")
        if self.password and self.password_file:
            raise ValueError("set password or password_file, not both")
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("certificate_file and key_file belong together")
        if not self.tls and (self.ca_file or self.certificate_file):
            raise ValueError("certificates are of no use without tls: true")
        return self

    def client_options(self) -> dict[str, Any]:
        """For a client of kafka-python.

        Raises:
            ConfigError: a file is not there or cannot be read.
        """
        protocol = ("SASL_" if self.mechanism else "") + ("SSL" if self.tls else "PLAINTEXT")
        options: dict[str, Any] = {"security_protocol": protocol}
        if self.tls:
            for name, path in (
                ("ssl_cafile", self.ca_file),
                ("ssl_certfile", self.certificate_file),
                ("ssl_keyfile", self.key_file),
            ):
                options[name] = None if path is None else str(_existing(path))
        if self.mechanism:
            options["sasl_mechanism"] = self.mechanism
            options["sasl_plain_username"] = self.username
            options["sasl_plain_password"] = self._password()
        return options

    def _password(self) -> str:
        if self.password is not None:
            return self.password.get_secret_value()
        assert self.password_file is not None  # one of the two is there
        try:
            return self.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"kafka.security.password_file {self.password_file}: {error}") from None


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ConfigError(f"kafka.security: there is no file {path}")
    return path


class KafkaOptions(BaseModel):
    """The broker and the topics.

    Attributes:
        servers: Where brokers listen, ``host:port``, several with commas.
        prefix: Before the name of every topic and group, for a cluster that others use as well.
        partitions: Of every topic, fixed when it is made: a key's partition must never change. As many
            embedders or matchers as partitions can share the work.
        replication: Copies of every partition; 3 on a cluster that may lose a machine.
        retention_s: How long faces and embeddings stay on the broker, an hour at most.
        compression: Of what is sent. Crops hardly shrink: on a fast network it costs more than it saves.
        max_message_bytes: The largest message, set alike on producers, topics and consumers.
        session_timeout_ms: A worker that was not heard of for so long is dead, and others take over.
        start_s: How long to wait for a broker that does not answer when a worker starts.
        max_wait_ms: How long a batch may wait to be filled. While one batch is worked on the next one fills
            by itself, so waiting only adds to the age of a decision; it pays where a GPU is shared.
        security: See :class:`SecurityOptions`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    servers: str = Field(default="localhost:9092", min_length=1)
    prefix: str = Field(default="", pattern=r"[a-zA-Z0-9._-]*", max_length=100)
    partitions: int = Field(default=16, ge=1, le=10_000)
    replication: int = Field(default=1, ge=1, le=100)
    retention_s: int = Field(default=MAX_RETENTION_S, ge=60, le=MAX_RETENTION_S)
    compression: Literal["none", "gzip", "lz4", "zstd"] = "none"
    max_message_bytes: int = Field(default=1 << 20, ge=1 << 16, le=1 << 26)
    session_timeout_ms: int = Field(default=10_000, ge=1_000, le=300_000)
    start_s: float = Field(default=10.0, ge=0, le=3600)
    max_wait_ms: int = Field(default=0, ge=0, le=10_000)
    security: SecurityOptions = SecurityOptions()

    def client_options(self) -> dict[str, Any]:
        """What every client of kafka-python takes.

        Raises:
            ConfigError: a file named in `security` cannot be read.
        """
        return {
            "bootstrap_servers": [server.strip() for server in self.servers.split(",")],
            "bootstrap_timeout_ms": max(3_000, int(self.start_s * 1000)),
            "reconnect_backoff_max_ms": 2_000,
            "receive_message_max_bytes": 100_000_000 + self.max_message_bytes,
            **self.security.client_options(),
        }
