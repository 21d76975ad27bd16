"""Configuration: one YAML file, overridden by PINWATCH_* variables, overridden by the command line.

Every key is checked; an unknown one is refused with its dotted path and the nearest known one.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from pipeline.errors import ConfigError
from pipeline.quality import QualityOptions
from pipeline.redact import redact
from pipeline.select import SelectionOptions
from pipeline.sources.options import LiveOptions
from pipeline.track import TrackerOptions
from workers.bus.kafka.options import KafkaOptions

NO_PURIFIER = "none"
_SECRET = ("secret", "password", "token")


class Section(BaseModel):
    """Base of every section: frozen, and no key beside the known ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DetectorSettings(Section):
    """Which detector finds the faces, and how.

    Attributes:
        name: Card of the detector.
        size_px: Longer side of the picture that is searched; smaller is faster and misses small faces.
        min_score: Faces below this confidence are ignored. Low, since a track goes on with faces that
            would not start one (`tracker.start_score`).
        photo_size_px: As `size_px`, for photographs (enrollment, identify).
        photo_min_score: As `min_score`, for photographs, where every face counts by itself.
        threads: Threads of one detector.
    """

    name: str = "pinwatch-detector"
    size_px: int = Field(default=672, ge=64, le=4096, multiple_of=32)
    min_score: float = Field(default=0.4, gt=0, lt=1)
    photo_size_px: int = Field(default=640, ge=64, le=4096, multiple_of=32)
    photo_min_score: float = Field(default=0.6, gt=0, lt=1)
    threads: int = Field(default=1, ge=1, le=64)


class EmbedderSettings(Section):
    """Which embedder names the faces.

    Attributes:
        name: Card of the embedder.
        batch_size: Crops taken from the bus at once, from all cameras together.
        threads: How many of them run at a time on the CPU; does not change the results.
    """

    name: str = "pinwatch-face"
    batch_size: int = Field(default=8, ge=1, le=256)
    threads: int = Field(default=1, ge=1, le=64)


class DecisionSettings(Section):
    """When a similarity names somebody; what is not set comes from calibration, else from the card.

    Attributes:
        match: Cosine similarity from which a candidate may be named.
        margin: ... if it leads the next subject by at least this much.
        votes: ... and if crops with at least this share of the track's quality name it by themselves.
        evidence: Attack evidence above it is a suspected attack; comes from the card, and where that
            does not say either, nothing is suspected.
    """

    match: float | None = Field(default=None, gt=-1, lt=1)
    margin: float | None = Field(default=None, ge=0, lt=1)
    votes: float = Field(default=0.5, ge=0, le=1)
    evidence: float | None = Field(default=None, ge=0, le=2)


class EvidenceSettings(Section):
    """Whether attack evidence is measured: how far purification moves the embeddings of a face.

    Attributes:
        enabled: ``auto`` measures it wherever there is a purifier, at the cost of one more embedding a
            crop; ``false`` never does; ``true`` does, and refuses to run without a purifier.
    """

    enabled: bool | Literal["auto"] = "auto"


class WorkerSettings(Section):
    """Workers on Kafka (`pinwatch worker`); one process needs none of it.

    Attributes:
        max_age_s: Crops of live cameras that are older when their turn comes are dropped, and counted.
        orphan_s: A track of a live camera of which nothing was heard for so long is decided without its end:
            its reader died. Longer than a camera takes to move to another reader.
        outbox_crops: How many crops a reader keeps while the broker is away; the oldest go first, counted.
        health_host: Where `/metrics` and `/healthz` are served.
        health_port: On which port; 0 for nowhere.
        preview_host: Where a reader shows its pictures to consoles on Kafka.
        preview_port: On which port; 0 for nowhere: then consoles show no pictures of its cameras.
        preview_url: The address that consoles use, ``ws://HOST:PORT`` or ``wss://...``; by default made of
            host (of the machine's name where that means all) and port.
        preview_secret: What readers and consoles know alike, at least 16 characters;
            PINWATCH_WORKER__PREVIEW_SECRET in the environment.
        preview_certificate_file: The reader's certificate (PEM), to speak TLS by itself.
        preview_key_file: Its private key (PEM).
        preview_ca_file: Certificates (PEM) that consoles check readers' against; the system's where not set.
    """

    max_age_s: float = Field(default=10.0, gt=0)
    orphan_s: float = Field(default=60.0, ge=20)
    outbox_crops: int = Field(default=1000, ge=1)
    health_host: str = "127.0.0.1"
    health_port: int = Field(default=0, ge=0, le=65535)
    preview_host: str = "127.0.0.1"
    preview_port: int = Field(default=0, ge=0, le=65535)
    preview_url: str | None = Field(default=None, max_length=500)
    preview_secret: SecretStr | None = None
    preview_certificate_file: Path | None = None
    preview_key_file: Path | None = None
    preview_ca_file: Path | None = None


class AuditSettings(Section):
    """What is kept to prove afterwards what was decided and why.

    Attributes:
        ledger: Whether decisions, changes and accesses are written to `<data>/ledger`.
        crops: Whether the crops behind decisions are kept, sealed; without them decisions cannot be
            derived again.
        faces: Whether the face of every track is kept, so that it can be searched for and unknown people be
            grouped.
        keep_unknown_days: After so long what was seen of people who were named as nobody becomes
            unreadable; 0 for never.
    """

    ledger: bool = True
    crops: bool = True
    faces: bool = True
    keep_unknown_days: float = Field(default=30.0, ge=0)


class KeepSettings(Section):
    """How much footage of a camera is kept; what is under a hold stays whatever these say.

    Attributes:
        max_age_days: Footage that is older is deleted; by default none is for its age.
        max_gb: Of more (10^9 bytes) the oldest is deleted; by default none is for its size.
    """

    max_age_days: float | None = Field(default=None, gt=0)
    max_gb: float | None = Field(default=None, gt=0)


class RecordingSettings(KeepSettings):
    """How footage is recorded (`--record`), and of every camera how much is kept.

    Attributes:
        segment_s: About how long a file lasts; it ends at the next key frame.
        min_free_mb: Recording stops while the disk has less left, so that others can still write.
        crf: Quality of what has to be encoded (pictures, USB, masked cameras): 0..51, lower is better.
        cameras: Limits of single cameras by name; what one does not say is as for all.
    """

    segment_s: float = Field(default=60.0, ge=1, le=3600)
    min_free_mb: int = Field(default=64, ge=0)
    crf: int = Field(default=20, ge=0, le=51)
    cameras: dict[str, KeepSettings] = {}


class OidcSettings(Section):
    """The identity provider through which users come in (docs/openid-connect.md); none without an issuer.

    Attributes:
        issuer: Its address, exactly as it names itself, e.g. ``https://login.example.org/realms/site``.
        client_id: What it calls this console.
        client_secret: Shared with it; PINWATCH_CONSOLE__OIDC__CLIENT_SECRET keeps it out of files.
        scopes: What is asked for.
        groups_claim: The claim that holds a user's groups; dots lead into it, e.g. ``realm_access.roles``.
        roles: Role by group; the first that a user is in counts. Without any, administrators decide here.
        cameras: Groups of cameras, by their names here, by group; without any, administrators decide here.
        default_role: Of users in none of the groups; needs `email_domains`.
        email_domains: Only users with a verified address in one of them come in.
        button: What stands on the button of the login page.
    """

    issuer: str | None = Field(default=None, max_length=500)
    client_id: str = Field(default="pinwatch", max_length=500)
    client_secret: SecretStr | None = None
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    groups_claim: str = Field(default="groups", min_length=1)
    roles: dict[str, Literal["viewer", "operator", "auditor", "administrator"]] = {}
    cameras: dict[str, tuple[str, ...]] = {}
    default_role: Literal["viewer", "operator", "auditor", "administrator"] | None = None
    email_domains: tuple[str, ...] = ()
    button: str = Field(default="Log in with your organisation", min_length=1, max_length=100)


class ConsoleSettings(Section):
    """The console (`pinwatch console`).

    Attributes:
        host: Where it listens.
        port: On which port.
        public_url: The address that browsers use, e.g. ``https://pinwatch.example.org``; needed where others
            than this machine come.
        trusted_proxy: Address of the proxy in front, whose word on where requests come from is taken.
        idle_minutes: A session that is not used for so long ends.
        session_hours: A session ends after so long in any case.
        time_zone: In which times are shown and typed, e.g. ``Europe/Berlin``.
        upload_mib: Largest photograph that is taken.
        oidc: The identity provider through which users come in.
        preview_hz: Pictures a second of each camera that somebody watches.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    public_url: str | None = None
    trusted_proxy: str | None = None
    idle_minutes: float = Field(default=30.0, gt=0, le=24 * 60)
    session_hours: float = Field(default=12.0, gt=0, le=24 * 30)
    time_zone: str = "UTC"
    upload_mib: int = Field(default=20, ge=1, le=200)
    oidc: OidcSettings = OidcSettings()
    preview_hz: float = Field(default=10.0, gt=0, le=60)


class PrivacySettings(Section):
    """What people who are filmed can expect.

    Attributes:
        blur_unknown: Whether faces of people who are not named are blurred wherever pictures are shown.
        purpose: Why people are filmed and recognised, shown with the pictures.
        notice: What the notice at the door says.
    """

    blur_unknown: bool = False
    purpose: str = Field(default="", max_length=1000)
    notice: str = Field(default="", max_length=4000)


class CanarySettings(Section):
    """The robustness gauge: faces of people who agreed to it are attacked beside the work.

    Attributes:
        enabled: ``auto`` measures wherever the console runs and somebody agreed; ``false`` never does.
        every_minutes: How often.
        budget_s: How long a measurement may attack; what is left of the faces has its turn next time.
        eps_255: Budget of attackers who do not know the purifier (T2a, T2b), L-infinity, 8-bit units.
        adaptive_eps_255: Of those who know all (T4).
        steps: Gradient steps of an attack.
        window_hours: What was measured within so long makes the numbers that are shown and judged.
        alarm_attacked: Accuracy under attack (T2a) behind the purifier below which there is an alarm.
        alarm_clean: Accuracy without an attack below which there is one.
        keep_days: How long results are kept.
    """

    enabled: bool | Literal["auto"] = "auto"
    every_minutes: float = Field(default=60.0, ge=1, le=7 * 24 * 60)
    budget_s: float = Field(default=30.0, gt=0, le=3600)
    eps_255: float = Field(default=8.0, gt=0, le=255)
    adaptive_eps_255: float = Field(default=2.0, gt=0, le=255)
    steps: int = Field(default=10, ge=1, le=1000)
    window_hours: float = Field(default=24.0, ge=1, le=24 * 90)
    alarm_attacked: float = Field(default=0.4, ge=0, le=1)
    alarm_clean: float = Field(default=0.6, ge=0, le=1)
    keep_days: float = Field(default=366.0, ge=1)


class MailSettings(Section):
    """The server that takes alerts as e-mail.

    Attributes:
        host: Its name; empty: there is none, and nothing is mailed.
        port: On which port.
        encryption: ``starttls`` or ``tls``; ``none`` on one's own machine only.
        user: As whom to log in; empty for not at all.
        password: Best in the environment, PINWATCH_ALERTS__MAIL__PASSWORD.
        sender: From whom mails come.
    """

    host: str = ""
    port: int = Field(default=587, ge=1, le=65535)
    encryption: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: SecretStr = SecretStr("")
    sender: str = "pinwatch@localhost"


class MqttSettings(Section):
    """The broker that takes alerts for other systems.

    Attributes:
        host: Its name; empty: there is none, and nothing is published.
        port: On which port.
        tls: Whether to encrypt, and to check whom we speak to.
        ca_file: Certificates to trust instead of the system's.
        user: As whom to log in; empty for not at all.
        password: Best in the environment, PINWATCH_ALERTS__MQTT__PASSWORD.
    """

    host: str = ""
    port: int = Field(default=8883, ge=1, le=65535)
    tls: bool = True
    ca_file: Path | None = None
    user: str = ""
    password: SecretStr = SecretStr("")


class AlertSettings(Section):
    """Alerts, and who is told elsewhere; rules are made in the console.

    Attributes:
        keep_days: Alerts that are older are deleted.
        footage: Whether footage that knows no wall time raises alerts too, as if it happened now.
        mail: The server for e-mail.
        mqtt: The broker for MQTT.
    """

    keep_days: float = Field(default=365.0, gt=0)
    footage: bool = False
    mail: MailSettings = MailSettings()
    mqtt: MqttSettings = MqttSettings()


class LogSettings(Section):
    """What is logged to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "warning"
    format: Literal["text", "json"] = "text"


class Settings(BaseSettings):
    """The whole configuration.

    Attributes:
        data: Folder of all state.
        database: ``postgresql://USER:PASSWORD@HOST/NAME`` where several machines share one; by default a
            file under `data`. PINWATCH_DATABASE in the environment keeps the password out of files.
        models: Folder of model files that is looked in before `<data>/models`.
        device: Where networks run: ``cpu``, ``cuda``, ``cuda:N``, or ``auto``.
        purifier: Card of the purifier, or ``none``.
    """

    model_config = SettingsConfigDict(
        env_prefix="PINWATCH_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    data: Path = Path("pinwatch-data")
    database: SecretStr | None = None
    models: Path | None = None
    device: str = Field(default="auto", pattern=r"auto|cpu|cuda(:\d+)?")
    detector: DetectorSettings = DetectorSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    purifier: str = "pinwatch-pin"
    quality: QualityOptions = QualityOptions()
    tracker: TrackerOptions = TrackerOptions()
    selection: SelectionOptions = SelectionOptions()
    live: LiveOptions = LiveOptions()
    decision: DecisionSettings = DecisionSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    kafka: KafkaOptions = KafkaOptions()
    worker: WorkerSettings = WorkerSettings()
    console: ConsoleSettings = ConsoleSettings()
    audit: AuditSettings = AuditSettings()
    recording: RecordingSettings = RecordingSettings()
    privacy: PrivacySettings = PrivacySettings()
    canary: CanarySettings = CanarySettings()
    alerts: AlertSettings = AlertSettings()
    log: LogSettings = LogSettings()

    @property
    def model_folders(self) -> list[Path]:
        """Where model files are looked for, in this order."""
        own = self.data / "models"
        return [self.models, own] if self.models else [own]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (env_settings, init_settings)


class _Settled(Settings):
    """The same when every source has been read: the environment must not win over the command line again."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def load_settings(config: Path | None, overrides: Mapping[str, Any]) -> Settings:
    """Read the file, the environment and the command line, each over the one before.

    Args:
        config: YAML file, or ``None`` for none.
        overrides: Dotted keys from the command line, e.g. ``{"detector.name": "yunet"}``.

    Raises:
        ConfigError: the file cannot be read, a key is unknown, or a value does not fit.
    """
    document = _read_yaml(config) if config else {}
    try:
        settings = Settings(**document)
        if overrides:
            changed = settings.model_dump()
            for dotted, value in overrides.items():
                _set(changed, dotted.split("."), value)
            settings = _Settled(**changed)
        return settings
    except ValidationError as error:
        raise ConfigError(_explain(error, config)) from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"there is no configuration file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration file {path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"the configuration file {path} is not YAML: {error}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError(f"the configuration file {path} must hold keys and values")
    return {str(key): value for key, value in document.items()}


def _set(document: dict[str, Any], path: list[str], value: Any) -> None:
    for key in path[:-1]:
        document = document[key]
    document[path[-1]] = value


def _explain(error: ValidationError, config: Path | None) -> str:
    where = f"configuration ({config})" if config else "configuration"
    return "\n".join(f"{where}: {_explain_one(dict(item))}" for item in error.errors(include_url=False))


def _explain_one(item: dict[str, Any]) -> str:
    dotted = ".".join(str(part) for part in item["loc"])
    if item["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        near = difflib.get_close_matches(dotted, known_keys(), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else "; `pinwatch config show` lists all keys"
        return f"unknown key {dotted}{hint}"
    if isinstance(item["input"], Mapping) or any(word in dotted for word in _SECRET):
        return f"{dotted}: {item['msg']}"  # what was given is, or holds, a secret
    return f"{dotted}: {item['msg']} (got {redact(repr(item['input']))})"


def known_keys() -> list[str]:
    """Every dotted key that the configuration takes."""
    return sorted(_leaves(Settings.model_construct().model_dump(), ()))


def _leaves(value: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    for key, child in value.items():
        here = (*path, key)
        found.append(".".join(here))
        if isinstance(child, Mapping):
            found.extend(_leaves(child, here))
    return found
