"""A rule: what raises an alert, where and when, how urgent it is, and who is told elsewhere."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import msgspec

from gallery.names import MAX_LENGTH, clean_name
from pipeline.errors import UsageError
from workers.alerts.schedule import Schedule

DEFAULT_COOLDOWN_S = 300.0
ALWAYS = Schedule()
_LONGEST_S = 7 * 86_400.0
_MANY = 1000


class Kind(enum.StrEnum):
    """What raises it."""

    LIST = "list"
    """Somebody on a watch list."""
    KNOWN = "known"
    """Anybody who is enrolled."""
    PERSON = "person"
    """One certain person."""
    UNKNOWN = "unknown"
    """Somebody whom nobody enrolled."""
    ATTACK = "attack"
    """Somebody who may have changed what the camera saw."""
    LOW_QUALITY = "low_quality"
    """Somebody who was never seen well enough to compare."""
    CAMERA = "camera"
    """A camera that shows nothing."""


OF_PEOPLE = frozenset({Kind.LIST, Kind.KNOWN, Kind.PERSON})
"""Which name somebody; a suspected attack fires them for its candidate."""


class Severity(enum.StrEnum):
    """How urgent it is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def urgency(self) -> int:
        """The higher, the more urgent."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class When:
    """What raises the alert.

    Attributes:
        kind: See :class:`Kind`.
        list_id: Of the watch list, for ``list``.
        subject_id: Of the person, for ``person``.
        after_s: How long a camera shows nothing, for ``camera``, seconds.
    """

    kind: Kind
    list_id: str | None = None
    subject_id: str | None = None
    after_s: float = 30.0

    def __post_init__(self) -> None:
        if (self.list_id is not None) != (self.kind is Kind.LIST):
            raise UsageError("a rule about a watch list names the list, and no other does")
        if (self.subject_id is not None) != (self.kind is Kind.PERSON):
            raise UsageError("a rule about one person names the person, and no other does")
        if not 0 <= self.after_s <= _LONGEST_S:
            raise UsageError("a camera is dead after 0 seconds to 7 days")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        id: Opaque.
        name: For people.
        when: What raises the alert.
        cameras: Of which cameras, by name; none: of all.
        schedule: When it holds.
        severity: How urgent it is.
        sound: Whether consoles may sound.
        cooldown_s: Not seen for so long, somebody's visit is over, and the next one is another alert.
        deliveries: Ids of who is told elsewhere.
        enabled: Whether it holds at all.
    """

    id: str
    name: str
    when: When
    cameras: tuple[str, ...] = ()
    schedule: Schedule = ALWAYS
    severity: Severity = Severity.WARNING
    sound: bool = False
    cooldown_s: float = DEFAULT_COOLDOWN_S
    deliveries: tuple[str, ...] = ()
    enabled: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", clean_name(self.name, "rule"))
        if not 0 <= self.cooldown_s <= _LONGEST_S:
            raise UsageError("a visit is over after 0 seconds to 7 days")
        if max(len(self.cameras), len(self.deliveries)) > _MANY:
            raise UsageError(f"a rule has {_MANY} cameras and deliveries at most")
        if any(not 0 < len(camera) <= MAX_LENGTH for camera in self.cameras):
            raise UsageError(f"a camera's name has 1 to {MAX_LENGTH} characters")

    def covers(self, camera_id: str) -> bool:
        """Whether the camera is one of its own."""
        return not self.cameras or camera_id in self.cameras


def encode_rule(rule: Rule) -> str:
    """As it is kept."""
    return msgspec.json.encode(rule, order="deterministic").decode()


def decode_rule(content: str) -> Rule:
    return msgspec.json.decode(content, type=Rule)
