"""Tracks of made-up people: directions that are far apart, and faces near them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from audit.search.faces import TrackFace
from pipeline.types import Embedding, FloatArray, Outcome, TemplateKey, TrackKey

KEY = TemplateKey("fake@1", "none")
OTHER_KEY = TemplateKey("fake@2", "none")
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
DIM = 16


def unit(values: FloatArray) -> FloatArray:
    return np.asarray(values / np.linalg.norm(values), np.float32)


def person(number: int) -> FloatArray:
    """float32 (16,): two people's are at right angles."""
    return np.asarray(np.eye(DIM)[number], np.float32)


def like(number: int, similarity: float, other: int = DIM - 1) -> FloatArray:
    """A face that is so similar to a person's, and otherwise like another one's."""
    rest = float(np.sqrt(1.0 - similarity**2))
    return unit(np.asarray(similarity * person(number) + rest * person(other), np.float32))


def seen(minute: float) -> str:
    return (NOON + timedelta(minutes=minute)).isoformat()


def face(
    number: int,
    vector: FloatArray,
    *,
    key: TemplateKey = KEY,
    outcome: Outcome = Outcome.UNKNOWN,
    subject_id: str | None = None,
    camera_id: str = "door",
    minute: float | None = None,
    quality: float = 0.5,
) -> TrackFace:
    """The track of the decision ``d<number>``, seen `number` minutes after noon."""
    when = number if minute is None else minute
    return TrackFace(
        decision_id=f"d{number:03d}",
        track=TrackKey(camera_id, 0, number),
        last_seen_at=seen(when),
        outcome=outcome,
        subject_id=subject_id,
        embedding=Embedding(vector, key),
        quality=quality,
    )
