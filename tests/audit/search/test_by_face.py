"""Searching by a face: what is found is what a plain loop over everything finds."""

from __future__ import annotations

import re
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import update

from audit.search.by_face import FaceFilter, FaceSearch
from audit.search.faces import FaceStore, TrackFace
from audit.search.vectors import similarities
from gallery.database import Database
from gallery.tables import sighting_faces
from pipeline.errors import GalleryCorrupt, TemplateKeyMismatch, UsageError
from pipeline.types import Embedding, Outcome
from tests.audit.unknowns.people import KEY, NOON, OTHER_KEY, face, like, person, unit

PROBE = Embedding(person(0), KEY)


def many(count: int) -> list[TrackFace]:
    random = np.random.default_rng(7)
    outcomes = [Outcome.UNKNOWN, Outcome.KNOWN, Outcome.AMBIGUOUS]
    return [
        face(
            number,
            unit(random.normal(size=16).astype(np.float32)),
            outcome=outcomes[number % 3],
            camera_id=["door", "gate"][number % 2],
        )
        for number in range(count)
    ]


def by_hand(faces: list[TrackFace], probe: Embedding) -> list[tuple[str, float]]:
    """Most similar first, ties by id."""

    def similarity(one: TrackFace) -> float:
        pairs = zip(one.embedding.vector.tolist(), probe.vector.tolist(), strict=True)
        return round(float(sum(a * b for a, b in pairs)), 6)

    return sorted(((one.decision_id, similarity(one)) for one in faces), key=lambda pair: (-pair[1], pair[0]))


@pytest.mark.parametrize("limit", [1, 7, 300])
def test_the_most_similar_tracks_are_found(database: Database, limit: int) -> None:
    faces = many(100)
    FaceStore(database).keep(faces)
    answer = FaceSearch(database).search(PROBE, limit=limit)
    assert [(hit.decision_id, hit.similarity) for hit in answer.hits] == by_hand(faces, PROBE)[:limit]
    assert (answer.compared, answer.left_out) == (100, {})


def test_more_than_a_block_is_searched_whole(database: Database) -> None:
    """The best is in the last block, the next in the first, and ties go by id across blocks."""
    near, far = like(0, 0.9), like(0, 0.1)
    faces = [face(number, near if number in (0, 4999) else far) for number in range(5000)]
    faces.append(face(5000, person(0)))
    FaceStore(database).keep(faces)
    answer = FaceSearch(database).search(PROBE, limit=5)
    assert [hit.decision_id for hit in answer.hits] == ["d5000", "d000", "d4999", "d001", "d002"]
    assert answer.hits[0].similarity == 1.0


def test_filters_narrow_what_is_compared(database: Database) -> None:
    faces = many(60)
    FaceStore(database).keep(faces)
    which = FaceFilter(
        since=NOON + timedelta(minutes=10),
        until=NOON + timedelta(minutes=40),
        camera_ids=("gate",),
        outcomes=(Outcome.UNKNOWN, Outcome.AMBIGUOUS),
    )
    answer = FaceSearch(database).search(PROBE, which, limit=100)
    wanted = [
        one
        for one in faces[10:40]
        if one.track.camera_id == "gate" and one.outcome in (Outcome.UNKNOWN, Outcome.AMBIGUOUS)
    ]
    assert [hit.decision_id for hit in answer.hits] == [decision for decision, _ in by_hand(wanted, PROBE)]
    assert answer.compared == len(wanted) > 5


def test_a_floor_leaves_out_what_is_too_different(database: Database) -> None:
    FaceStore(database).keep([face(1, like(0, 0.9)), face(2, like(0, 0.5)), face(3, like(0, 0.2))])
    hits = FaceSearch(database).search(PROBE, at_least=0.5).hits
    assert [hit.decision_id for hit in hits] == ["d001", "d002"]


def test_a_subject_s_own_tracks_can_be_asked_for(database: Database) -> None:
    FaceStore(database).keep(
        [face(1, person(1)), face(2, person(0), outcome=Outcome.KNOWN, subject_id="s1"), face(3, person(0))]
    )
    (hit,) = FaceSearch(database).search(PROBE, FaceFilter(subject_ids=("s1",))).hits
    assert (hit.decision_id, hit.subject_id, hit.outcome, hit.group_id) == ("d002", "s1", Outcome.KNOWN, None)


def test_faces_of_another_model_are_refused_by_name(database: Database) -> None:
    store, search = FaceStore(database), FaceSearch(database)
    store.keep([face(1, person(0), key=OTHER_KEY)])
    with pytest.raises(TemplateKeyMismatch, match=rf"{re.escape(str(KEY))}.*{re.escape(str(OTHER_KEY))}"):
        search.search(PROBE)
    store.keep([face(2, person(0))])
    answer = search.search(PROBE)
    assert [hit.decision_id for hit in answer.hits] == ["d002"]
    assert (answer.compared, answer.left_out) == (1, {OTHER_KEY: 1})


def test_where_nothing_is_kept_nothing_is_found(database: Database) -> None:
    answer = FaceSearch(database).search(PROBE)
    assert (answer.hits, answer.compared, answer.left_out) == ((), 0, {})


def test_a_damaged_face_is_told_of(database: Database) -> None:
    FaceStore(database).keep([face(1, person(0)), face(2, person(1))])
    with database.write() as connection:
        damaged = sighting_faces.c.decision_id == "d001"
        connection.execute(update(sighting_faces).where(damaged).values(vector=b"\x00" * 7))
    with pytest.raises(GalleryCorrupt, match="a kept face of a track is damaged"):
        FaceSearch(database).search(PROBE)


def test_a_search_for_nothing_is_refused(database: Database) -> None:
    with pytest.raises(UsageError, match="1 or more, not 0"):
        FaceSearch(database).search(PROBE, limit=0)
    with pytest.raises(UsageError, match="no zone"):
        FaceSearch(database).search(PROBE, FaceFilter(since=NOON.replace(tzinfo=None)))


def test_similarities_do_not_depend_on_their_neighbours() -> None:
    random = np.random.default_rng(3)
    vectors = np.stack([unit(random.normal(size=256).astype(np.float32)) for _ in range(9000)])
    whole = similarities(vectors, vectors[17])
    assert whole[17] == 1.0
    for start, stop in ((0, 1), (17, 18), (4090, 4100), (8999, 9000)):
        assert similarities(vectors[start:stop], vectors[17]).tolist() == whole[start:stop].tolist()
