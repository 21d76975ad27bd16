"""Tracks of coloured checks with all that is kept of them: decision, crops, face, and groups of unknowns."""

from __future__ import annotations

from typing import Any

import numpy as np

from audit.search.faces import FaceStore, TrackFace
from audit.unknowns.grouper import Grouper
from audit.unknowns.linkage import Linkage
from pipeline.types import FaceCrop, Outcome, Sighting, TrackKey
from tests.gallery.fakes import KEY, PatternEmbedder, draw_face, pattern
from tests.workers.console.world import THRESHOLDS, World, make_sighting


def crop_of(key: TrackKey, sequence: int, person: int, variation: int, quality: float = 0.5) -> FaceCrop:
    """An aligned face of a person."""
    image_bgr = draw_face(pattern(person, variation, strength=0.2))
    return FaceCrop(
        key=key,
        sequence=sequence,
        pts_ns=sequence * 40_000_000,
        captured_at_ns=None,
        bbox=np.array([10, 20, 60.5, 90.25], np.float32),
        score=0.875,
        quality=quality,
        detector_id="squares",
        image_rgb=np.ascontiguousarray(image_bgr[:, :, ::-1]),
    )


def see(world: World, decision_id: str, person: int, crops: int = 3, **changed: Any) -> Sighting:
    """A track of somebody, decided and kept; with tracks before it, those that are alike become a group."""
    number = int.from_bytes(decision_id.encode()[-4:], "big")
    sighting = make_sighting(
        decision_id, embedder="fake@1", **{"track_id": number, "crops": crops, **changed}
    )
    key = TrackKey(sighting.camera_id, sighting.stream_epoch, sighting.track_id)
    kept = [
        crop_of(key, sequence, person, number + sequence + 1, 0.5 + sequence / 10)
        for sequence in range(crops)
    ]
    world.crops.put(sighting.run_id, kept)
    world.sightings.write([sighting])
    if kept:
        (embedding,) = PatternEmbedder().embed([kept[-1].image_rgb])
        face = TrackFace(
            decision_id,
            key,
            sighting.last_seen_at,
            sighting.outcome,
            sighting.subject_id,
            embedding,
            kept[-1].quality,
        )
        FaceStore(world.database).keep([face])
        Grouper(world.database, KEY, Linkage.of(THRESHOLDS)).run()
    return sighting


def named(subject_id: str, similarity: float = 0.9) -> dict[str, Any]:
    """Of a track that was named."""
    return {
        "outcome": Outcome.KNOWN,
        "subject_id": subject_id,
        "candidate_id": subject_id,
        "similarity": similarity,
        "votes": 1.0,
    }
