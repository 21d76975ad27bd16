"""Faces of tracks: kept once, to the bit, and forgotten for good."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audit.search.faces import FaceStore, face_of
from audit.unknowns.grouper import Grouper
from audit.unknowns.groups import GroupStore
from audit.unknowns.linkage import Linkage
from gallery.database import Database
from pipeline.decide import WeightedEmbedding, decide
from pipeline.fuse import fuse
from pipeline.types import Embedding, Match, Outcome, Revision, Thresholds, TrackKey
from tests.audit.test_sightings import EXAMPLE
from tests.audit.unknowns.people import KEY, face, like, person, unit


class Listening:
    """A gallery that notes which faces it is asked for."""

    key = KEY
    gallery_epoch = 0

    def __init__(self) -> None:
        self.asked: list[Embedding] = []

    def search(self, probe: Embedding, count: int) -> list[Match]:
        self.asked.append(probe)
        return [Match("s1", 0.5)][:count]


def evidence(*crops: tuple[int, float, float | None]) -> list[WeightedEmbedding]:
    """Crops as (seed, quality, confidence)."""

    def embedding(seed: int, confidence: float | None) -> Embedding:
        values = np.random.default_rng(seed).normal(size=16).astype(np.float32)
        return Embedding(unit(values), KEY, confidence=confidence)

    return [WeightedEmbedding(embedding(seed, sure), worth) for seed, worth, sure in crops]


def test_a_fused_face_is_what_the_decision_asked_for_to_the_bit() -> None:
    gallery = Listening()
    crops = evidence((1, 0.9, 0.5), (2, 0.3, None), (3, 0.0, 0.9))
    decide(crops, gallery, Thresholds(0.4, 0.05))
    fused = fuse(crops)
    assert fused is not None
    assert fused.tobytes() == gallery.asked[0].vector.tobytes()


def test_crops_that_cancel_out_have_no_face() -> None:
    opposite = [WeightedEmbedding(Embedding(sign * person(1), KEY), 0.5) for sign in (1, -1)]
    assert fuse(opposite) is None
    assert fuse([]) is None
    assert face_of(EXAMPLE, opposite) is None


def test_only_a_track_that_has_ended_has_a_face() -> None:
    crops = evidence((1, 0.9, 0.5), (2, 0.3, None))
    assert face_of(replace(EXAMPLE, revision=Revision.UPDATE), crops) is None
    made = face_of(EXAMPLE, crops)
    assert made is not None
    assert (made.decision_id, made.track) == ("d0", TrackKey("door", 3, 17))
    assert (made.outcome, made.subject_id, made.embedding.key) == (Outcome.KNOWN, "s1", KEY)
    assert made.quality == 0.45


def test_a_face_comes_back_as_it_was(database: Database) -> None:
    store = FaceStore(database)
    one = face(1, like(0, 0.7), outcome=Outcome.KNOWN, subject_id="s1", quality=0.25)
    timeless = replace(face(2, person(3)), last_seen_at=None)
    assert store.keep([one, timeless]) == 2
    kept, other = store.get(["d001", "d002", "nothing"])
    assert kept.embedding.vector.tobytes() == one.embedding.vector.tobytes()
    assert (kept.track, kept.outcome, kept.subject_id, kept.quality) == (one.track, Outcome.KNOWN, "s1", 0.25)
    assert kept.embedding.key == KEY
    assert kept.last_seen_at == "2025-03-01T12:01:00.000000Z"
    assert other.last_seen_at is None


def test_the_first_face_of_a_decision_counts(database: Database) -> None:
    store = FaceStore(database)
    assert store.keep([face(1, person(0)), face(1, person(1))]) == 1
    assert store.keep([face(1, person(2)), face(2, person(2))]) == 1
    assert store.get(["d001"])[0].embedding.vector.tobytes() == person(0).tobytes()


def test_forgetting_leaves_no_face_and_no_empty_group(database: Database) -> None:
    store = FaceStore(database)
    store.keep([face(1, person(0)), face(2, like(0, 0.9)), face(3, person(1))])
    Grouper(database, KEY, Linkage(0.5)).run()
    groups = GroupStore(database)
    assert sorted(group.size for group in groups.groups()) == [1, 2]
    assert store.forget(["d001", "d003", "nothing"]) == 2
    assert [face.decision_id for face in store.get(["d001", "d002", "d003"])] == ["d002"]
    assert [group.size for group in groups.groups()] == [1]
    assert store.forget(["d002"]) == 1
    assert groups.groups() == []


def test_the_faces_of_a_subject_are_those_that_were_named_by_anybody(
    database: Database, enrolled: str
) -> None:
    store = FaceStore(database)
    named = face(1, person(5), outcome=Outcome.KNOWN, subject_id=enrolled)
    store.keep([named, face(2, person(0)), face(3, like(0, 0.9)), face(4, person(1))])
    Grouper(database, KEY, Linkage(0.5)).run()
    groups = GroupStore(database)
    (theirs,) = [group for group in groups.groups() if group.size == 2]
    groups.assign(theirs.id, enrolled)
    assert store.of_subject(enrolled) == ["d001", "d002", "d003"]


@pytest.mark.parametrize("changes", [{"quality": 1.5}, {"last_seen_at": "noon"}])
def test_what_no_face_has_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(Exception, match=r"0\.\.1|not a time"):
        replace(face(1, person(0)), **changes)  # type: ignore[arg-type]
