"""A small data folder in which something was decided, without any network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audit.crops import FOLDER as CROPS
from audit.crops import CropStore
from audit.decisions import Evidence, Journal
from audit.ledger.folder import FOLDER, LedgerFolder
from audit.ledger.keys import KeyRing
from audit.ledger.writer import Ledger
from gallery.exact import ExactIndex
from gallery.records import Snapshot
from pipeline.clock import SystemClock
from pipeline.decide import WeightedEmbedding, decide, nearest_subjects
from pipeline.types import (
    ByteArray,
    EmbeddedFace,
    Embedding,
    FaceCrop,
    Revision,
    Sighting,
    TemplateKey,
    Thresholds,
    TrackEnded,
    TrackKey,
)
from workers.sighting import TrackFacts, make_sighting

KEY = TemplateKey("colour@00000000", "none")
THRESHOLDS = Thresholds(match=0.9, margin=0.05)
RUN = "case 7/a"
FINGERPRINT = "0123456789abcdef"


class MeanColour:
    """Embeds a crop as its mean colour."""

    key, dim = KEY, 3

    def embed(self, crops_rgb: Sequence[ByteArray]) -> list[Embedding]:
        means = [crop.reshape(-1, 3).mean(axis=0).astype(np.float32) for crop in crops_rgb]
        return [Embedding(mean / np.float32(np.linalg.norm(mean)), KEY) for mean in means]


def gallery(epoch: int = 3, ids: Sequence[str] = ("red", "green")) -> ExactIndex:
    """Subjects of one colour each."""
    colours = np.eye(3, dtype=np.float32)[: len(ids)]
    return ExactIndex(Snapshot(KEY, epoch, np.arange(len(ids)), tuple(ids), colours))


def crop_of(key: TrackKey, sequence: int, colour: Sequence[int]) -> FaceCrop:
    pixels = np.random.default_rng([key.track_id, sequence]).integers(0, 20, (112, 112, 3), np.uint8)
    return FaceCrop(
        key=key,
        sequence=sequence,
        pts_ns=sequence * 40_000_000,
        captured_at_ns=None,
        bbox=np.array([10, 20, 60.5, 90.25], np.float32),
        score=0.875,
        quality=0.5,
        detector_id="detector@11111111",
        image_rgb=pixels + np.array(colour, np.uint8),
    )


@dataclass
class World:
    """Ledger, keys and crops of a data folder."""

    data: Path
    folder: LedgerFolder
    ledger: Ledger
    keys: KeyRing
    crops: CropStore
    journal: Journal

    def decide(
        self, track_id: int, colour: Sequence[int], camera: str = "lobby/1:2", crops: int = 3
    ) -> Sighting:
        """A track of some crops, kept and decided."""
        key = TrackKey(camera, 0, track_id)
        made = [crop_of(key, sequence, colour) for sequence in range(crops)]
        self.crops.keep(RUN, made)
        embedded = MeanColour().embed([crop.image_rgb for crop in made])
        faces = [
            EmbeddedFace(
                crop.key,
                crop.sequence,
                crop.pts_ns,
                None,
                crop.bbox,
                crop.quality,
                crop.detector_id,
                embedding,
            )
            for crop, embedding in zip(made, embedded, strict=True)
        ]
        evidence = [WeightedEmbedding(face.embedding, face.quality) for face in faces]
        index = gallery()
        ended = TrackEnded(
            key, 0, 1_000_000_000, None, 9, crops, {"not_best": 9 - crops}, "detector@11111111"
        )
        sighting = make_sighting(
            TrackFacts.of_ended(ended, crops),
            decide(evidence, index, THRESHOLDS),
            run_id=RUN,
            revision=Revision.END,
            number=0,
            embedder_key=KEY,
            gallery_epoch=index.gallery_epoch,
        )
        near = nearest_subjects(evidence, index, 5) if evidence else []
        self.journal.write([(sighting, Evidence(faces, near, THRESHOLDS))])
        return sighting

    def close(self) -> None:
        self.ledger.close()
        self.keys.close()


def world(data: Path) -> World:
    """With an empty ledger."""
    folder, clock = LedgerFolder(data / FOLDER), SystemClock()
    ledger = Ledger(folder, "test", clock)
    keys = KeyRing(folder.keys)
    crops = CropStore(data / CROPS, keys, ledger, clock)
    return World(data, folder, ledger, keys, crops, Journal(ledger, keys, FINGERPRINT, clock))
