"""Every refusal, with its reason, and what the gallery is afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from gallery.enroll import Enroller, Enrollment, EnrollOptions, Refusal, Status
from gallery.store import GalleryStore
from pipeline.errors import TemplateKeyMismatch, UsageError
from pipeline.types import ByteArray, Thresholds
from tests.gallery.fakes import KEY, OTHER_KEY, make_vision, pattern, picture, write_person, write_picture


def enroll_one(
    enroller: Enroller, name: str, photo: Path, options: EnrollOptions | None = None
) -> Enrollment:
    (result,) = enroller.enroll(name, [photo], options)
    return result


def test_a_good_photograph_is_enrolled_and_kept(
    enroller: Enroller, store: GalleryStore, tmp_path: Path
) -> None:
    photo = write_person(tmp_path / "ada.png", 1)
    result = enroll_one(enroller, "Ada Lovelace", photo)
    assert (result.status, result.subject_id, result.refusal) == (Status.ENROLLED, "s1", None)
    (kept,) = store.templates("s1")
    assert store.photos.read(kept.photo) == photo.read_bytes()
    assert kept.photo.original_name == "ada.png"
    assert kept.face.bbox.tolist() == [100, 60, 212, 172]
    assert kept.quality > 0.5


def test_the_same_file_again_is_skipped(enroller: Enroller, store: GalleryStore, tmp_path: Path) -> None:
    photo = write_person(tmp_path / "ada.png", 1)
    copy = write_person(tmp_path / "copy.png", 1)
    results = enroller.enroll("Ada", [photo, photo, copy])
    assert [result.status for result in results] == [Status.ENROLLED, Status.SKIPPED, Status.SKIPPED]
    assert store.epoch() == 1


def test_the_same_file_twice_in_one_batch_is_enrolled_once(
    enroller: Enroller, store: GalleryStore, tmp_path: Path
) -> None:
    photo = write_person(tmp_path / "ada.png", 1)
    ready = [enroller.look("Ada", photo) for _ in range(2)]
    results = list(enroller.admit(ready))  # type: ignore[arg-type]
    assert [result.status for result in results] == [Status.ENROLLED, Status.SKIPPED]
    assert len(store.templates()) == 1


def test_several_photographs_of_one_person(enroller: Enroller, store: GalleryStore, tmp_path: Path) -> None:
    photos = [write_person(tmp_path / f"{n}.png", 1, variation=n) for n in range(3)]
    assert {result.status for result in enroller.enroll("Ada", photos)} == {Status.ENROLLED}
    assert [(subject.name, subject.templates) for subject in store.subjects()] == [("Ada", 3)]


def test_no_face(enroller: Enroller, tmp_path: Path) -> None:
    photo = write_picture(tmp_path / "wall.png", np.zeros((100, 100, 3), np.uint8))
    result = enroll_one(enroller, "Ada", photo)
    assert (result.status, result.refusal) == (Status.REFUSED, Refusal.NO_FACE)


@pytest.mark.parametrize(("side", "refusal"), [(49, None), (57, Refusal.SECOND_FACE)])
def test_a_second_face_is_refused_if_it_is_larger_than_half(
    enroller: Enroller, tmp_path: Path, side: int, refusal: Refusal | None
) -> None:
    both = picture([(pattern(1), 100, (10, 10)), (pattern(2), side, (200, 20))])
    photo = write_picture(tmp_path / "two.png", both)
    result = enroll_one(enroller, "Ada", photo)
    assert result.refusal == refusal
    if refusal:
        assert "57% as large" in result.detail
        assert "--largest" in result.detail


def test_the_largest_face_is_taken_on_request_and_said(
    enroller: Enroller, store: GalleryStore, tmp_path: Path
) -> None:
    both = picture([(pattern(2), 90, (10, 10)), (pattern(1), 100, (200, 20))])
    photo = write_picture(tmp_path / "two.png", both)
    result = enroll_one(enroller, "Ada", photo, EnrollOptions(largest=True))
    assert (result.status, result.detail) == (Status.ENROLLED, "the largest of 2 faces was taken")
    assert store.templates()[0].face.bbox.tolist() == [200, 20, 300, 120]


def test_of_two_alike_the_one_in_the_middle_is_taken_and_said(
    enroller: Enroller, store: GalleryStore, tmp_path: Path
) -> None:
    both = picture([(pattern(2), 90, (225, 140)), (pattern(1), 80, (115, 70))])
    photo = write_picture(tmp_path / "two.png", both)
    assert enroll_one(enroller, "Ada", photo).refusal is Refusal.SECOND_FACE
    result = enroll_one(enroller, "Ada", photo, EnrollOptions(largest=True))
    assert (result.status, result.detail) == (Status.ENROLLED, "the most central of 2 faces was taken")


def test_low_quality_says_what_is_wrong(enroller: Enroller, tmp_path: Path) -> None:
    small = write_person(tmp_path / "small.png", 1, side_px=18)
    result = enroll_one(enroller, "Ada", small)
    assert result.refusal == Refusal.LOW_QUALITY
    assert "too_small" in result.detail
    fair = write_person(tmp_path / "fair.png", 1, side_px=60)
    strict = enroll_one(enroller, "Ada", fair, EnrollOptions(min_quality=0.99))
    assert strict.refusal == Refusal.LOW_QUALITY
    assert "below 0.99" in strict.detail


def worse_copy(image: ByteArray) -> ByteArray:
    """The same picture made smaller, darker and recompressed."""
    small = cv2.resize(image, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", (small * 0.9).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 90])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def test_a_near_duplicate_is_refused_and_the_original_named(
    enroller: Enroller, store: GalleryStore, tmp_path: Path
) -> None:
    image = picture([(pattern(1), 112, (100, 60))])
    original = write_picture(tmp_path / "original.png", image)
    copy = write_picture(tmp_path / "copy.png", worse_copy(image))
    first, second = enroller.enroll("Ada", [original, copy])
    assert first.status is Status.ENROLLED
    assert second.refusal is Refusal.NEAR_DUPLICATE
    assert "original.png" in second.detail
    assert store.subject("Ada").templates == 1


def test_a_lookalike_is_refused_unless_it_is_allowed(
    enroller: Enroller, store: GalleryStore, tmp_path: Path
) -> None:
    enroll_one(enroller, "Ada", write_person(tmp_path / "ada.png", 1))
    again = write_person(tmp_path / "bo.png", 1, variation=5)
    result = enroll_one(enroller, "Bo", again)
    assert result.refusal is Refusal.LOOKALIKE
    assert "looks like Ada" in result.detail
    assert "--allow-lookalike" in result.detail
    assert result.resembles == store.subject("Ada").id
    assert [subject.name for subject in store.subjects()] == ["Ada"]
    allowed = enroll_one(enroller, "Bo", again, EnrollOptions(allow_lookalike=True))
    assert allowed.status is Status.ENROLLED


def test_a_photograph_of_somebody_else_is_refused_even_for_a_subject_with_photographs(
    enroller: Enroller, tmp_path: Path
) -> None:
    enroll_one(enroller, "Ada", write_person(tmp_path / "ada.png", 1))
    enroll_one(enroller, "Bo", write_person(tmp_path / "bo.png", 2))
    mixed_up = enroll_one(enroller, "Bo", write_person(tmp_path / "mixed.png", 1, variation=5))
    assert mixed_up.refusal is Refusal.LOOKALIKE


def test_lookalikes_within_one_batch_are_seen(enroller: Enroller, tmp_path: Path) -> None:
    ada = enroller.look("Ada", write_person(tmp_path / "ada.png", 1))
    bo = enroller.look("Bo", write_person(tmp_path / "bo.png", 1, variation=5))
    results = list(enroller.admit([ada, bo]))  # type: ignore[list-item]
    assert [result.status for result in results] == [Status.ENROLLED, Status.REFUSED]


def test_what_another_process_enrolled_meanwhile_is_seen(
    enroller: Enroller, store: GalleryStore, thresholds: Thresholds, tmp_path: Path
) -> None:
    other = Enroller(GalleryStore(store.database), make_vision(), thresholds)
    enroll_one(other, "Ada", write_person(tmp_path / "ada.png", 1))
    result = enroll_one(enroller, "Bo", write_person(tmp_path / "bo.png", 1, variation=5))
    assert result.refusal is Refusal.LOOKALIKE


def test_a_list_threshold_decides_who_is_a_lookalike(
    store: GalleryStore, thresholds: Thresholds, tmp_path: Path
) -> None:
    strict = replace(thresholds, by_subject={"s1": 0.999})
    enroller = Enroller(store, make_vision(), strict)
    enroll_one(enroller, "Ada", write_person(tmp_path / "ada.png", 1))
    result = enroll_one(enroller, "Bo", write_person(tmp_path / "bo.png", 1, variation=5))
    assert result.status is Status.ENROLLED


def test_unreadable_photographs_are_refused_by_name_and_the_others_enrolled(
    enroller: Enroller, tmp_path: Path
) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("not a photograph")
    good = write_person(tmp_path / "good.png", 1)
    results = enroller.enroll("Ada", [tmp_path / "nowhere.jpg", text, good])
    assert [result.refusal for result in results] == [Refusal.UNREADABLE, Refusal.UNREADABLE, None]
    assert "nowhere.jpg" in results[0].detail
    assert "text.jpg" in results[1].detail


UNSEEN = ["\u202eecarG", "Ada\u200b", "\ufeffAda", "Ada \u2066L"]
"""Names that are shown as others are, or backwards."""


@pytest.mark.parametrize("name", ["", "   ", "a/b", "a\\b", "..", "a\nb", "x" * 201, "\udcff", *UNSEEN])
def test_names_that_cannot_be_are_refused(
    enroller: Enroller, store: GalleryStore, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        enroller.enroll(name, [write_person(tmp_path / "a.png", 1)])
    assert store.epoch() == 0


def test_names_in_any_script_are_kept_and_two_spellings_of_one_are_one(
    enroller: Enroller, store: GalleryStore, tmp_path: Path
) -> None:
    first, second = (write_person(tmp_path / f"{n}.png", 1, variation=n) for n in range(2))
    enroll_one(enroller, "Chlo\u00e9 名前 🙂", first)
    enroll_one(enroller, "Chloe\u0301 名前 🙂 ", second)
    assert [(subject.name, subject.templates) for subject in store.subjects()] == [("Chloé 名前 🙂", 2)]


def test_names_that_are_written_with_joiners_are_kept(
    enroller: Enroller, store: GalleryStore, tmp_path: Path
) -> None:
    name = "\u0646\u06cc\u200c\u0645\u0627"
    enroll_one(enroller, name, write_person(tmp_path / "a.png", 1))
    assert [subject.name for subject in store.subjects()] == [name]


def test_another_embedder_is_refused_with_the_way_out(
    enroller: Enroller, store: GalleryStore, thresholds: Thresholds, tmp_path: Path
) -> None:
    enroll_one(enroller, "Ada", write_person(tmp_path / "ada.png", 1))
    with pytest.raises(TemplateKeyMismatch, match=r"fake@1.*fake@2.*pinwatch gallery reembed"):
        Enroller(store, make_vision(OTHER_KEY), thresholds)
    assert store.key() == KEY
