"""Who is in a photograph: all faces, in order, and an error where there is none to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from gallery.enroll import Enroller
from gallery.identify import BATCH, Identifier
from gallery.index import FaissIndex
from gallery.store import GalleryStore
from pipeline.embed.evidence import EvidenceEmbedder
from pipeline.types import ByteArray, Embedding, Outcome, TemplateKey, Thresholds
from tests.gallery.fakes import (
    KEY,
    PatternEmbedder,
    make_vision,
    pattern,
    picture,
    write_person,
    write_picture,
)


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


_EVEN_CELLS = np.arange(112) // 7 % 2 == 0


class OddRowsEmbedder(PatternEmbedder):
    """Behind a purifier that takes every even row of cells away, where :func:`attack` is."""

    def embed(self, crops_rgb: Sequence[ByteArray]) -> list[Embedding]:
        return super().embed([np.ascontiguousarray(crop[~_EVEN_CELLS]) for crop in crops_rgb])


def attack(photo_bgr: ByteArray) -> ByteArray:
    """The photograph with the face's even rows of cells in negative: no noise, which would explain it."""
    changed = photo_bgr.copy()
    face = changed[60:172, 100:212]
    face[_EVEN_CELLS] = 255 - face[_EVEN_CELLS]
    return changed


def test_an_attacked_photograph_is_suspected_and_keeps_its_candidate(
    store: GalleryStore, thresholds: Thresholds, tmp_path: Path
) -> None:
    key = TemplateKey("fake@1", "odd-rows@1")
    vision = replace(make_vision(key), embedder=OddRowsEmbedder(key))
    Enroller(store, vision, thresholds).enroll("Ada", [write_person(tmp_path / "Ada.png", 1)])
    index = FaissIndex(store.snapshot(key))
    probing = replace(vision, embedder=EvidenceEmbedder(vision.embedder, PatternEmbedder(KEY)))
    identifier = Identifier(probing, index, replace(thresholds, evidence=0.2))
    photo = np.asarray(cv2.GaussianBlur(picture([(pattern(1, 2), 112, (100, 60))]), (0, 0), 2.0), np.uint8)
    clean = write_picture(tmp_path / "clean.png", photo)
    attacked = write_picture(tmp_path / "attacked.png", attack(photo))
    said = [answer.faces[0].verdict for answer in identifier.identify([clean, attacked])]
    assert [(verdict.outcome, verdict.subject_id, verdict.candidate_id) for verdict in said] == [
        (Outcome.KNOWN, "s1", "s1"),
        (Outcome.SUSPECTED_ATTACK, None, "s1"),
    ]
    assert said[0].attack_evidence is not None
    assert said[1].attack_evidence is not None
    assert said[0].attack_evidence < 0.2 < said[1].attack_evidence
    usual = Identifier(vision, index, thresholds).identify([clean])
    assert next(usual).faces[0].verdict == replace(said[0], attack_evidence=None)


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
