"""What groups of unknown people are made of."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from pipeline.types import TrackKey


class GroupState(enum.StrEnum):
    """What a person decided about a group."""

    OPEN = "open"
    IGNORED = "ignored"
    ASSIGNED = "assigned"


@dataclass(frozen=True, slots=True)
class Group:
    """Tracks that are held to be one person.

    Attributes:
        id: Opaque, and stable: tracks that come later join, they do not rename.
        created_at: ISO 8601 UTC.
        label: What a person called it.
        state: What a person decided.
        subject_id: Who it is, if it is `assigned`.
        size: How many tracks.
        first_seen_at: The earliest last moment of a track; ``None`` where no track has wall time.
        last_seen_at: The latest one.
        cover: The decision whose face is best to look at.
    """

    id: str
    created_at: str
    label: str | None
    state: GroupState
    subject_id: str | None
    size: int
    first_seen_at: str | None
    last_seen_at: str | None
    cover: str


@dataclass(frozen=True, slots=True)
class Member:
    """A track in a group.

    Attributes:
        decision_id: Of the decision that ended the track.
        track: Which track.
        last_seen_at: ISO 8601 UTC, ``None`` where wall time is not known.
        quality: Of its best crop, 0..1.
        link: How similar it was to the group when it joined, -1..1; ``None`` for who came first, and after
            a person put it there.
        pinned: Whether a person had a word on the group while it was in there.
    """

    decision_id: str
    track: TrackKey
    last_seen_at: str | None
    quality: float
    link: float | None
    pinned: bool


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a track went; `link` is ``None`` if it founded the group."""

    decision_id: str
    group_id: str
    link: float | None


@dataclass(frozen=True, slots=True)
class Merged:
    """Two groups as one: the id that stays, and the decisions that came to it."""

    group_id: str
    moved: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Expired:
    """How many faces and how many groups are gone."""

    faces: int
    groups: int
