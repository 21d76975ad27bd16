"""Attack evidence through the steps: what is suspected, and what must not depend on the bus."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeGuard

import numpy as np
import pytest

from pipeline.embed.evidence import EvidenceEmbedder
from pipeline.seams import FaceEmbedder
from pipeline.types import (
    ByteArray,
    Embedding,
    FaceCrop,
    Outcome,
    Revision,
    Sighting,
    TemplateKey,
    Thresholds,
    TrackEnded,
)
from tests.workers.test_steps import MeanColourEmbedder, OneSubject, put
from workers.bus.base import Topic
from workers.bus.memory import MemoryBus
from workers.codec import Message, decode, encode
from workers.loop import run
from workers.steps import EmbedStep, MatchStep

PURIFIED = TemplateKey("embedder@00000000", "lower-half@22222222")


class LowerHalfEmbedder(MeanColourEmbedder):
    """Behind a purifier that takes the upper half of a crop away, where the attacks of these tests are."""

    key = PURIFIED

    def embed(self, crops_rgb: Sequence[ByteArray]) -> list[Embedding]:
        seen = super().embed([crop[56:] for crop in crops_rgb])
        return [Embedding(item.vector, PURIFIED) for item in seen]


class CalibratedOneSubject(OneSubject):
    key = PURIFIED
    thresholds = Thresholds(match=0.5, margin=0.1, evidence=0.05)


def painted(
    make: Callable[..., FaceCrop], track_id: int, sequence: int, *, attacked: bool = False
) -> FaceCrop:
    """A (dark) crop that looks like Ada; an attacked one has blue in its upper half, more in later crops."""
    pixels = np.full((112, 112, 3), (200, 20, 20), np.uint8)
    if attacked:
        pixels[:56] = (20, 20, 200 + sequence)
    return replace(make(track_id, sequence), image_rgb=pixels, quality=0.5 + 0.1 * sequence)


def run_embed_and_match(
    messages: Sequence[Message],
    embedder: FaceEmbedder,
    gallery: OneSubject,
    batch_size: int = 4,
) -> list[Sighting]:
    """Everything that fresh embed and match steps say to these messages."""
    bus = MemoryBus()
    bus.consumer("embed", [Topic.FACES])
    bus.consumer("match", [Topic.EMBEDDINGS])
    results = bus.consumer("test", [Topic.SIGHTINGS])
    put(bus, Topic.FACES, messages)
    bus.finish(Topic.FACES)
    run(bus, EmbedStep(embedder, batch_size), threading.Event())
    bus.finish(Topic.EMBEDDINGS)
    run(bus, MatchStep(gallery, "run-1", embedder.key), threading.Event())
    return [item for item in map(decode, (m.encoded for m in results.poll(1000, 0.1))) if is_sighting(item)]


def is_sighting(message: Message) -> TypeGuard[Sighting]:
    return isinstance(message, Sighting)


@pytest.fixture
def footage(crop: Callable[..., FaceCrop], ended: Callable[..., TrackEnded]) -> list[Message]:
    """Track 1 is clean, track 2 is attacked in two of three crops, track 3 in its first of five."""
    return [
        painted(crop, 1, 0),
        painted(crop, 2, 0),
        painted(crop, 3, 0, attacked=True),
        painted(crop, 2, 1, attacked=True),
        painted(crop, 1, 1),
        ended(1),
        painted(crop, 2, 2, attacked=True),
        *(painted(crop, 3, sequence) for sequence in range(1, 5)),
        ended(2),
        ended(3),
    ]


def with_evidence() -> EvidenceEmbedder:
    return EvidenceEmbedder(LowerHalfEmbedder(), MeanColourEmbedder())


def last_words(sightings: Sequence[Sighting]) -> dict[int, Sighting]:
    return {item.track_id: item for item in sightings if item.revision is Revision.END}


def test_an_attacked_track_is_suspected_and_keeps_its_candidate(footage: list[Message]) -> None:
    sightings = run_embed_and_match(footage, with_evidence(), CalibratedOneSubject())
    said = last_words(sightings)
    assert said[1].outcome is Outcome.KNOWN
    assert said[1].attack_evidence == 0.0
    assert (said[2].outcome, said[2].subject_id, said[2].candidate_id) == (
        Outcome.SUSPECTED_ATTACK,
        None,
        "ada",
    )
    assert said[2].similarity == pytest.approx(0.99, abs=0.01)
    assert said[2].attack_evidence is not None
    assert said[2].attack_evidence > 0.05
    assert said[2].attack_evidence == round(said[2].attack_evidence, 6)
    assert f"{said[2].attack_evidence:.3f}" in said[2].reason
    assert said[2].purifier == "lower-half@22222222"


def test_suspicion_comes_and_goes_as_a_revision(footage: list[Message]) -> None:
    sightings = run_embed_and_match(footage, with_evidence(), CalibratedOneSubject())
    by_track = {number: [s for s in sightings if s.track_id == number] for number in (2, 3)}
    assert [(s.revision, s.outcome) for s in by_track[2]] == [
        (Revision.NEW, Outcome.KNOWN),
        (Revision.UPDATE, Outcome.SUSPECTED_ATTACK),
        (Revision.END, Outcome.SUSPECTED_ATTACK),
    ]
    assert [(s.revision, s.outcome) for s in by_track[3]] == [
        (Revision.NEW, Outcome.SUSPECTED_ATTACK),
        (Revision.UPDATE, Outcome.KNOWN),
        (Revision.END, Outcome.KNOWN),
    ]


def test_uncalibrated_evidence_is_written_down_and_nothing_is_suspected(footage: list[Message]) -> None:
    said = last_words(run_embed_and_match(footage, with_evidence(), OneSubject()))
    assert {item.outcome for item in said.values()} == {Outcome.KNOWN}
    assert said[2].attack_evidence is not None
    assert said[2].attack_evidence > 0.05


@pytest.mark.parametrize("batch_size", [1, 2, 3, 64])
def test_evidence_does_not_depend_on_how_crops_were_batched(footage: list[Message], batch_size: int) -> None:
    usual = run_embed_and_match(footage, with_evidence(), CalibratedOneSubject())
    other = run_embed_and_match(footage, with_evidence(), CalibratedOneSubject(), batch_size)
    assert [encode(item) for item in other] == [encode(item) for item in usual]


def test_crops_delivered_twice_change_no_evidence(footage: list[Message]) -> None:
    usual = last_words(run_embed_and_match(footage, with_evidence(), CalibratedOneSubject()))
    crops = [message for message in footage if isinstance(message, FaceCrop)]
    again = [*crops[:4], *crops[:4], *footage[4:]]
    assert last_words(run_embed_and_match(again, with_evidence(), CalibratedOneSubject())) == usual


def test_without_a_purifier_there_is_no_evidence(footage: list[Message]) -> None:
    said = last_words(run_embed_and_match(footage, MeanColourEmbedder(), OneSubject()))
    assert {item.attack_evidence for item in said.values()} == {None}
    strict = last_words(run_embed_and_match(footage, MeanColourEmbedder(), CalibratedOneSubject()))
    assert strict == said


def test_measuring_evidence_changes_nothing_else(footage: list[Message]) -> None:
    """The vectors that decide are those of the purified embedder alone."""
    without = run_embed_and_match(footage, LowerHalfEmbedder(), OneSubject())
    measured = run_embed_and_match(footage, with_evidence(), OneSubject())
    assert [replace(item, attack_evidence=None) for item in measured] == without
