"""Writing down a decision: its identity, its times, and the line it becomes for scripts and people."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from pipeline.types import (
    EmbeddedFace,
    Revision,
    Sighting,
    TemplateKey,
    TrackEnded,
    TrackKey,
    Verdict,
)

NS = 1_000_000_000

SHED_CAUSE = "too_late"
"""Why a crop that its reader sent was not compared: it was too old when its turn came."""

ORPHAN_CAUSE = "reader_lost"
"""Why the end of a track, and whatever came before it, was never sent."""


@dataclass(frozen=True, slots=True)
class TrackFacts:
    """What is known of a track apart from whose face it is."""

    key: TrackKey
    first_seen_ns: int
    last_seen_ns: int
    started_at_ns: int | None
    frames: int
    crops: int
    dropped_by_cause: Mapping[str, int]
    detector_id: str

    @classmethod
    def of_ended(cls, ended: TrackEnded, received: int) -> TrackFacts:
        """Of a track whose end was announced.

        Args:
            ended: By its reader.
            received: How many of its crops came; those that did not were shed on the way.
        """
        dropped = dict(ended.dropped_by_cause)
        if received < ended.crops_sent:
            dropped[SHED_CAUSE] = dropped.get(SHED_CAUSE, 0) + ended.crops_sent - received
        return cls(
            ended.key,
            ended.first_seen_ns,
            ended.last_seen_ns,
            ended.started_at_ns,
            ended.frames,
            received,
            dropped,
            ended.detector_id,
        )

    @classmethod
    def of_open(
        cls, faces: Sequence[EmbeddedFace], dropped_by_cause: Mapping[str, int] | None = None
    ) -> TrackFacts:
        """Of a track whose end was not announced, or not yet: only what its crops tell."""
        first = min(faces, key=lambda face: face.pts_ns)
        last = max(faces, key=lambda face: face.pts_ns)
        started = None if first.captured_at_ns is None else first.captured_at_ns - first.pts_ns
        count = len(faces)
        return cls(
            first.key,
            first.pts_ns,
            last.pts_ns,
            started,
            count,
            count,
            dict(dropped_by_cause or {}),
            first.detector_id,
        )

    def at(self, pts_ns: int) -> str | None:
        """Wall-clock time of a moment of the stream, ISO 8601 UTC in milliseconds."""
        if self.started_at_ns is None:
            return None
        moment = dt.datetime.fromtimestamp((self.started_at_ns + pts_ns) / NS, dt.UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def key_of(sighting: Sighting) -> TrackKey:
    """The track that it is about."""
    return TrackKey(sighting.camera_id, sighting.stream_epoch, sighting.track_id)


def decision_id(run_id: str, key: TrackKey, revision: Revision, number: int) -> str:
    """32 hex digits that the same decision of the same run always gets.

    The last decision of a track is its `end`, however many revisions came before.
    """
    suffix = revision.value if revision is Revision.END else f"{revision.value}:{number}"
    text = "\x1f".join((run_id, key.camera_id, str(key.stream_epoch), str(key.track_id), suffix))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def make_sighting(
    facts: TrackFacts,
    verdict: Verdict,
    *,
    run_id: str,
    revision: Revision,
    number: int,
    embedder_key: TemplateKey,
    gallery_epoch: int,
) -> Sighting:
    """One decision with all that belongs to it."""
    return Sighting(
        decision_id=decision_id(run_id, facts.key, revision, number),
        run_id=run_id,
        revision=revision,
        revision_number=number,
        camera_id=facts.key.camera_id,
        stream_epoch=facts.key.stream_epoch,
        track_id=facts.key.track_id,
        outcome=verdict.outcome,
        subject_id=verdict.subject_id,
        candidate_id=verdict.candidate_id,
        similarity=verdict.similarity,
        runner_up=verdict.runner_up,
        margin=verdict.margin,
        threshold=verdict.threshold,
        threshold_origin=verdict.threshold_origin,
        votes=verdict.votes,
        first_seen_s=round(facts.first_seen_ns / NS, 3),
        last_seen_s=round(facts.last_seen_ns / NS, 3),
        first_seen_at=facts.at(facts.first_seen_ns),
        last_seen_at=facts.at(facts.last_seen_ns),
        frames=facts.frames,
        crops=facts.crops,
        dropped_by_cause=facts.dropped_by_cause,
        attack_evidence=verdict.attack_evidence,
        detector=facts.detector_id,
        embedder=embedder_key.model_id,
        purifier=embedder_key.purifier_id,
        align_version=embedder_key.align_version,
        gallery_epoch=gallery_epoch,
        reason=verdict.reason,
    )


def as_record(sighting: Sighting, names: Mapping[str, str]) -> dict[str, Any]:
    """The line of ``sightings.jsonl``: the sighting with subjects' names beside their ids."""
    record: dict[str, Any] = msgspec.to_builtins(sighting)
    for role in ("subject", "candidate"):
        record[role] = names.get(record[f"{role}_id"] or "")
    return record
