"""Who is told of alerts elsewhere, and how."""

from __future__ import annotations

import enum
import re
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from gallery.names import clean_name
from pipeline.errors import UsageError

TOPIC = "pinwatch"
MAX_ADDRESSES = 50
_ADDRESS = re.compile(r"[^\s@<>,;:\"\\]{1,64}@[^\s@<>,;:\"\\]{1,255}")


class Way(enum.StrEnum):
    """How somebody is told."""

    WEBHOOK = "webhook"
    MQTT = "mqtt"
    MAIL = "mail"


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody who is told.

    Attributes:
        id: Opaque.
        name: For people.
        way: How.
        url: Of a webhook.
        secret: Signs what a webhook is sent.
        topic: Under which MQTT topics begin.
        addresses: Who gets mail.
        names: Whether names of people are told; else ids only.
        enabled: Whether anything is sent; what is raised meanwhile waits, a day at most.
    """

    id: str
    name: str
    way: Way
    url: str = ""
    secret: str = ""
    topic: str = TOPIC
    addresses: tuple[str, ...] = ()
    names: bool = False
    enabled: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", clean_name(self.name, "delivery"))
        match self.way:
            case Way.WEBHOOK:
                check_url(self.url)
            case Way.MQTT:
                _check_topic(self.topic)
            case Way.MAIL:
                _check_addresses(self.addresses)


def new_secret() -> str:
    """256 random bits that sign what a webhook is sent."""
    return secrets.token_urlsafe(32)


def check_url(url: str) -> None:
    """Raise ``UsageError`` unless it is an address that a webhook can have."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits or len(url) > 2000 or re.search(r"[\s\x00-\x1f]", url):
        raise UsageError(f"{url!r} is no address of a webhook: it begins with https:// or http://")
    if parts.username is not None or parts.password is not None:
        raise UsageError("the address of a webhook holds no password: what it is sent is signed")


def _check_topic(topic: str) -> None:
    if not 0 < len(topic) <= 200 or re.search(r"[+#\x00]", topic) or topic.startswith(("/", "$")):
        raise UsageError(f"{topic!r} is no beginning of a topic: 1 to 200 characters without + and #")


def _check_addresses(addresses: tuple[str, ...]) -> None:
    if not 0 < len(addresses) <= MAX_ADDRESSES:
        raise UsageError(f"a delivery by e-mail goes to 1 to {MAX_ADDRESSES} addresses")
    wrong = next((one for one in addresses if not _ADDRESS.fullmatch(one)), None)
    if wrong is not None:
        raise UsageError(f"{wrong!r} is no e-mail address")


def encode_receiver(receiver: Receiver) -> str:
    """As it is kept."""
    return msgspec.json.encode(receiver, order="deterministic").decode()


def decode_receiver(content: str) -> Receiver:
    return msgspec.json.decode(content, type=Receiver)
