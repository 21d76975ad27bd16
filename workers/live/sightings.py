"""Tells whoever watches what was decided."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pipeline.seams import Clock
from pipeline.types import Sighting
from workers.live.state import SIGHTING


class Announces(Protocol):
    """Whom to tell; :class:`workers.live.hub.LiveHub` is one."""

    def announce(self, kind: str, camera_id: str | None, body: Mapping[str, Any]) -> int: ...


class LiveSightings:
    """A :class:`workers.steps.SightingSink`. Events carry ids of people, never names.

    Args:
        hub: Told of every decision, in every revision.
        clock: Time, for the age of decisions.
    """

    def __init__(self, hub: Announces, clock: Clock) -> None:
        self._hub, self._clock = hub, clock

    def write(self, sightings: Sequence[Sighting]) -> None:
        """Announce them, in order."""
        now_ns = self._clock.now_ns()
        for sighting in sightings:
            self._hub.announce(SIGHTING, sighting.camera_id, body_of(sighting, now_ns))


def body_of(sighting: Sighting, now_ns: int) -> dict[str, Any]:
    """What an event says of a decision; `age_ms` is how old the newest picture of the face is."""
    return {
        "decision": sighting.decision_id,
        "epoch": sighting.stream_epoch,
        "track": sighting.track_id,
        "revision": sighting.revision.value,
        "outcome": sighting.outcome.value,
        "subject": sighting.subject_id,
        "candidate": sighting.candidate_id,
        "similarity": sighting.similarity,
        "last_seen_at": sighting.last_seen_at,
        "age_ms": _age_ms(sighting.last_seen_at, now_ns),
    }


def _age_ms(seen_at: str | None, now_ns: int) -> int | None:
    if seen_at is None:
        return None
    seen_s = dt.datetime.fromisoformat(seen_at).timestamp()
    return max(0, round(now_ns / 1e6 - seen_s * 1e3))
