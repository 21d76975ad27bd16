"""Alerts as they are read: what was raised, on what evidence, and what became of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from workers.alerts.rules import Kind, Severity


class State(enum.StrEnum):
    """How an alert stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    WITHDRAWN = "withdrawn"
    """What was seen next took back what it was raised for."""
    MERGED = "merged"
    """It turned out to be the same visit as another alert."""


class Happened(enum.StrEnum):
    """What became of an alert."""

    RAISED = "raised"
    RAISED_AGAIN = "raised again"
    SUSPECTED = "attack suspected"
    WITHDRAWN = "withdrawn"
    MERGED = "merged"
    CAMERA_BACK = "camera back"
    ACKNOWLEDGED = "acknowledged"
    REOPENED = "reopened"
    ASSIGNED = "assigned"
    NOTE = "note"


TOLD_ELSEWHERE = frozenset({Happened.RAISED, Happened.RAISED_AGAIN, Happened.WITHDRAWN, Happened.MERGED})


@dataclass(frozen=True, slots=True)
class Hit:
    """One track as evidence of an alert.

    Attributes:
        camera_id: Where.
        first_at: ISO 8601 UTC.
        last_at: Likewise; what was told of the track so far.
        live: Not taken back by a later decision about the track.
        decision_id: The last decision that said so; empty for a camera.
        outcome: Of that decision.
        similarity: Likewise; ``None`` where nothing was compared.
    """

    camera_id: str
    first_at: str
    last_at: str
    live: bool
    decision_id: str
    outcome: str
    similarity: float | None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that became of an alert.

    Attributes:
        at: ISO 8601 UTC: of what the cameras told, when they saw it.
        kind: What.
        by: The user who did it; empty where the program did.
        camera_id: Where it happened; ``None`` for what people did.
        text: In words; of people what they wrote.
    """

    at: str
    kind: Happened
    by: str
    camera_id: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One visit under one rule, as far as somebody sees its cameras.

    Attributes:
        id: Opaque.
        rule_id: Which rule raised it.
        rule: What that was called then.
        kind: What the rule asks for.
        severity: How urgent it is.
        sound: Whether consoles may sound.
        state: How it stands.
        reason: Why it was withdrawn; empty where it stands.
        merged_into: The alert of the whole visit, where this was a part.
        subject_id: Who it is about, where somebody is named or suspected.
        suspected: Somebody may have changed what a camera saw.
        first_at: ISO 8601 UTC.
        last_at: Likewise.
        sightings: How many tracks stand.
        cameras: Which saw them, in order of time.
        hits: The evidence, the oldest first.
        assigned_to: Id of a user.
        version: Grows with every change of any alert.
        turn: Grows when it is raised or withdrawn.
    """

    id: str
    rule_id: str
    rule: str
    kind: Kind
    severity: Severity
    sound: bool
    state: State
    reason: str
    merged_into: str | None
    subject_id: str | None
    suspected: bool
    first_at: str
    last_at: str
    sightings: int
    cameras: tuple[str, ...]
    hits: tuple[Hit, ...]
    assigned_to: str | None
    version: int
    turn: int

    @property
    def camera(self) -> str:
        """Where it was last seen."""
        return max(self.hits, key=lambda hit: hit.last_at).camera_id

    @property
    def best(self) -> Hit:
        """The evidence to look at first: what stands, then the most similar, then the newest."""
        return max(self.hits, key=lambda hit: (hit.live, hit.similarity or -1.0, hit.last_at))
