"""Messages as the readers make them, small and reproducible."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.types import EmbeddedFace, Embedding, FaceCrop, TemplateKey, TrackEnded, TrackKey

KEY = TemplateKey("embedder@00000000", "none")


def make_crop(track_id: int = 1, sequence: int = 0, camera_id: str = "gate") -> FaceCrop:
    pixels = np.random.default_rng([track_id, sequence]).integers(0, 256, (112, 112, 3), np.uint8)
    return FaceCrop(
        key=TrackKey(camera_id, 0, track_id),
        sequence=sequence,
        pts_ns=sequence * 40_000_000,
        captured_at_ns=None,
        bbox=np.array([10, 20, 60.5, 90.25], np.float32),
        score=0.875,
        quality=0.5,
        detector_id="detector@11111111",
        image_rgb=pixels,
    )


def make_ended(track_id: int = 1, crops_sent: int = 1, camera_id: str = "gate") -> TrackEnded:
    return TrackEnded(
        key=TrackKey(camera_id, 0, track_id),
        first_seen_ns=0,
        last_seen_ns=1_000_000_000,
        started_at_ns=None,
        frames=25,
        crops_sent=crops_sent,
        dropped_by_cause={"not_best": 20, "blurred": 4},
        detector_id="detector@11111111",
    )


def make_embedded(
    vector: tuple[float, ...] = (1.0, 0.0), track_id: int = 1, sequence: int = 0
) -> EmbeddedFace:
    return EmbeddedFace(
        key=TrackKey("gate", 0, track_id),
        sequence=sequence,
        pts_ns=sequence * 40_000_000,
        captured_at_ns=None,
        bbox=np.array([10, 20, 60.5, 90.25], np.float32),
        quality=0.5,
        detector_id="detector@11111111",
        embedding=Embedding(np.array(vector, np.float32) / np.float32(np.linalg.norm(vector)), KEY),
    )


@pytest.fixture
def crop() -> Callable[..., FaceCrop]:
    return make_crop


@pytest.fixture
def ended() -> Callable[..., TrackEnded]:
    return make_ended


@pytest.fixture
def embedded() -> Callable[..., EmbeddedFace]:
    return make_embedded
