"""Who is in a photograph: all faces, in order, and an error where there is none to look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from gallery.enroll import Enroller
from gallery.identify import BATCH, Identifier
from gallery.index import FaissIndex
from gallery.store import GalleryStore
from pipeline.types import Outcome, Thresholds
from tests.gallery.fakes import KEY, make_vision, pattern, picture, write_person, write_picture


@pytest.fixture
def identifier(store: GalleryStore, enroller: Enroller, thresholds: Thresholds, tmp_path: Path) -> Identifier:
    """Knows Ada (pattern 1) and Bo (pattern 2)."""
    for person, name in ((1, "Ada"), (2, "Bo")):
        enroller.enroll(name, [write_person(tmp_path / f"{name}.png", person)])
    return Identifier(make_vision(), FaissIndex(store.snapshot(KEY)), thresholds)


def test_all_faces_are_told_the_largest_first(identifier: Identifier, tmp_path: Path) -> None:
    bo, ada, stranger = pattern(2, 3), pattern(1, 3), pattern(77)
    group = picture([(bo, 70, (10, 10)), (ada, 100, (120, 20)), (stranger, 60, (250, 20))])
    (answer,) = identifier.identify([write_picture(tmp_path / "group.png", group)])
    verdicts = [face.verdict for face in answer.faces]
    lefts = [float(face.face.bbox[0]) for face in answer.faces]
    told = [(said.outcome, said.subject_id, left) for said, left in zip(verdicts, lefts, strict=True)]
    assert told == [
        (Outcome.KNOWN, "s1", 120.0),
        (Outcome.KNOWN, "s2", 10.0),
        (Outcome.UNKNOWN, None, 250.0),
    ]
    assert verdicts[2].candidate_id in ("s1", "s2")
    assert verdicts[2].similarity is not None
    assert verdicts[2].similarity < 0.7


def test_a_face_too_small_to_compare_is_low_quality(identifier: Identifier, tmp_path: Path) -> None:
    (answer,) = identifier.identify([write_person(tmp_path / "small.png", 1, side_px=16)])
    assert [face.verdict.outcome for face in answer.faces] == [Outcome.LOW_QUALITY]
    assert answer.faces[0].verdict.candidate_id is None


def test_order_is_kept_over_batches_and_unreadable_photographs(
    identifier: Identifier, tmp_path: Path
) -> None:
    photos = []
    for number in range(2 * BATCH + 3):
        if number % 5 == 3:
            photo = tmp_path / f"{number}.jpg"
            photo.write_text("not a photograph")
        else:
            photo = write_person(tmp_path / f"{number}.png", 1 + number % 2, variation=number)
        photos.append(photo)
    answers = list(identifier.identify(photos))
    assert [answer.photo for answer in answers] == photos
    for number, answer in enumerate(answers):
        if number % 5 == 3:
            assert answer.faces == ()
            assert f"{number}.jpg" in str(answer.error)
        else:
            assert answer.error is None
            assert [face.verdict.subject_id for face in answer.faces] == [f"s{1 + number % 2}"]


def test_answers_do_not_depend_on_the_neighbours(identifier: Identifier, tmp_path: Path) -> None:
    photos = [write_person(tmp_path / f"{number}.png", number, variation=1) for number in range(5)]
    together = [answer.faces[0].verdict for answer in identifier.identify(photos)]
    alone = [next(identifier.identify([photo])).faces[0].verdict for photo in photos]
    assert together == alone


def test_answers_come_as_they_are_asked_for(identifier: Identifier, tmp_path: Path) -> None:
    def endless() -> object:
        while True:
            yield write_person(tmp_path / "again.png", 1)

    answers = identifier.identify(endless())  # type: ignore[arg-type]
    assert next(answers).faces[0].verdict.subject_id == "s1"


def test_nobody_enrolled_makes_everybody_unknown(
    thresholds: Thresholds, store: GalleryStore, tmp_path: Path
) -> None:
    empty = Identifier(make_vision(), FaissIndex(store.snapshot(KEY)), thresholds)
    (answer,) = empty.identify([write_person(tmp_path / "ada.png", 1)])
    assert [face.verdict.outcome for face in answer.faces] == [Outcome.UNKNOWN]
