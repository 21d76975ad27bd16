"""Subjects and templates through their epochs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update

from gallery.calibrations import CalibrationStore
from gallery.database import Database
from gallery.exact import ExactIndex
from gallery.index import FaissIndex
from gallery.records import Added, NewTemplate, PhotoRecord, Snapshot
from gallery.store import GalleryStore
from gallery.tables import templates
from pipeline.errors import (
    GalleryCorrupt,
    StorageError,
    SubjectExists,
    SubjectNotFound,
    TemplateKeyMismatch,
    UsageError,
)
from pipeline.types import Embedding, Face, TemplateKey, Thresholds
from tests.gallery.fakes import KEY, OTHER_KEY

POINTS = (np.arange(10).reshape(5, 2) / 3).astype(np.float32)
FACE = Face(np.array([1.5, 2, 30, 40], np.float32), POINTS, 0.875)


def vector(seed: int, dim: int = 8) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    values = np.random.default_rng(seed).normal(size=dim)
    return (values / np.linalg.norm(values)).astype(np.float32)


def template(seed: int, key: TemplateKey = KEY) -> NewTemplate:
    return NewTemplate(Embedding(vector(seed), key), FACE, 0.5, "squares")


def photo(seed: int) -> tuple[PhotoRecord, bytes]:
    data = f"photograph {seed}".encode()
    return PhotoRecord(hashlib.sha256(data).hexdigest(), "jpg", f"{seed}.jpg", 10, 20, len(data)), data


def add(store: GalleryStore, name: str, seed: int, key: TemplateKey = KEY) -> Added:
    return store.add(name, template(seed, key), *photo(seed))


def same(one: Snapshot, other: Snapshot) -> bool:
    return (
        (one.key, one.epoch, one.subject_ids) == (other.key, other.epoch, other.subject_ids)
        and np.array_equal(one.template_ids, other.template_ids)
        and np.array_equal(one.vectors, other.vectors)
        and one.thresholds_by_subject == other.thresholds_by_subject
    )


def test_what_was_added_is_in_the_snapshot_to_the_bit(store: GalleryStore) -> None:
    first, second = add(store, "Ada", 1), add(store, "Bo", 2)
    found = store.snapshot(KEY)
    assert (first.epoch, second.epoch, found.epoch) == (1, 2, 2)
    assert found.subject_ids == ("s1", "s2")
    assert found.template_ids.tolist() == [first.template_id, second.template_id]
    assert found.vectors.tobytes() == np.stack([vector(1), vector(2)]).tobytes()


def test_a_second_photograph_joins_the_subject_of_that_name(store: GalleryStore) -> None:
    assert add(store, "Ada", 1).subject_id == add(store, "Ada", 2).subject_id
    assert [(subject.name, subject.templates) for subject in store.subjects()] == [("Ada", 2)]


def test_the_same_photograph_again_changes_nothing(store: GalleryStore) -> None:
    first = add(store, "Ada", 1)
    again = add(store, "Ada", 1)
    assert first.new
    assert not again.new
    assert (again.template_id, store.epoch()) == (first.template_id, 1)
    assert store.has_photo("Ada", photo(1)[0].sha256)
    assert not store.has_photo("Bo", photo(1)[0].sha256)


def test_one_photograph_may_show_two_subjects(store: GalleryStore) -> None:
    add(store, "Ada", 1)
    assert store.add("Bo", template(2), *photo(1)).new
    assert len(store.templates()) == 2


def test_the_face_that_a_template_was_made_from_is_kept_exactly(store: GalleryStore) -> None:
    add(store, "Ada", 1)
    (kept,) = store.templates("s1")
    assert np.array_equal(kept.face.bbox, FACE.bbox)
    assert np.array_equal(kept.face.landmarks, FACE.landmarks)
    assert (kept.face.score, kept.quality, kept.detector_id, kept.key) == (0.875, 0.5, "squares", KEY)
    assert store.photos.read(kept.photo) == photo(1)[1]


def test_a_removed_subject_is_gone_now_but_not_from_earlier_epochs(store: GalleryStore) -> None:
    add(store, "Ada", 1)
    add(store, "Bo", 2)
    before = store.snapshot(KEY)
    assert store.remove("Ada") == 3
    assert store.snapshot(KEY).subject_ids == ("s2",)
    assert same(store.snapshot(KEY, epoch=2), before)
    assert [subject.name for subject in store.subjects()] == ["Bo"]
    assert [subject.name for subject in store.subjects(epoch=2)] == ["Ada", "Bo"]
    assert store.names(["s1", "s2", "nobody"]) == {"s1": "Ada", "s2": "Bo"}
    with pytest.raises(SubjectNotFound, match="'Ada'"):
        store.subject("Ada")


def test_a_name_is_free_again_after_its_subject_was_removed(store: GalleryStore) -> None:
    add(store, "Ada", 1)
    store.remove("Ada")
    assert add(store, "Ada", 1) == Added("s2", 2, 3, new=True)


def test_renaming_keeps_id_and_epoch(store: GalleryStore) -> None:
    add(store, "Ada", 1)
    add(store, "Bo", 2)
    store.rename("Ada", " Zoe ")
    assert store.subject("Zoe").id == "s1"
    assert store.epoch() == 2
    with pytest.raises(SubjectExists, match="'Bo'"):
        store.rename("Zoe", "Bo")
    with pytest.raises(UsageError, match="slash"):
        store.rename("Zoe", "a/b")
    store.rename("s1", "Zoe")


def test_a_subject_is_found_by_id_but_a_name_goes_first(store: GalleryStore) -> None:
    add(store, "Ada", 1)
    assert store.subject("s1").name == "Ada"
    add(store, "s1", 2)
    assert store.subject("s1").id == "s2"


def test_one_photograph_can_be_taken_out(store: GalleryStore) -> None:
    add(store, "Ada", 1)
    add(store, "Ada", 2)
    sha256 = photo(1)[0].sha256
    assert store.remove_photo("Ada", sha256[:12]) == 3
    assert [kept.photo.original_name for kept in store.templates("s1")] == ["2.jpg"]
    with pytest.raises(UsageError, match="0 photographs of Ada"):
        store.remove_photo("Ada", sha256)


def test_templates_of_another_model_are_refused_with_the_way_out(store: GalleryStore) -> None:
    add(store, "Ada", 1)
    message = r"fake@1\+none.*fake@2\+none.*pinwatch gallery reembed"
    with pytest.raises(TemplateKeyMismatch, match=message):
        store.snapshot(OTHER_KEY)
    with pytest.raises(TemplateKeyMismatch, match=message):
        store.delta(OTHER_KEY, 0)
    with pytest.raises(TemplateKeyMismatch, match=message):
        add(store, "Bo", 2, OTHER_KEY)
    assert [subject.name for subject in store.subjects()] == ["Ada"]
    assert store.key() == KEY


def test_an_empty_gallery_takes_any_model(store: GalleryStore) -> None:
    assert store.snapshot(OTHER_KEY).vectors.shape == (0, 0)
    assert store.key() is None
    add(store, "Ada", 1)
    store.remove("Ada")
    add(store, "Ada", 1, OTHER_KEY)
    assert store.key() == OTHER_KEY
    assert store.snapshot(KEY, epoch=1).subject_ids == ("s1",)


def test_epochs_that_have_not_been_are_refused(store: GalleryStore) -> None:
    with pytest.raises(UsageError, match="epochs 0 to 0, not 1"):
        store.snapshot(KEY, epoch=1)
    with pytest.raises(UsageError, match="not -1"):
        store.delta(KEY, -1)


@pytest.mark.parametrize("kind", [FaissIndex, ExactIndex])
def test_deltas_lead_from_any_epoch_to_now(store: GalleryStore, kind: type[FaissIndex | ExactIndex]) -> None:
    for step in range(12):
        add(store, f"person {step % 4}", step)
        if step % 5 == 4:
            store.remove(f"person {step % 4}")
    rebuilt = kind(store.snapshot(KEY))
    for epoch in range(store.epoch() + 1):
        followed = kind(store.snapshot(KEY, epoch=epoch))
        followed.apply(store.delta(KEY, epoch))
        assert followed.gallery_epoch == rebuilt.gallery_epoch
        assert len(followed) == len(rebuilt)
        for seed in range(12):
            probe = Embedding(vector(seed), KEY)
            assert followed.search(probe, 9) == rebuilt.search(probe, 9)


def test_a_delta_of_nothing_is_empty(store: GalleryStore) -> None:
    add(store, "Ada", 1)
    nothing = store.delta(KEY, 1)
    assert (nothing.since, nothing.epoch) == (1, 1)
    assert not len(nothing.added_ids)
    assert not len(nothing.removed_ids)


def test_added_and_removed_between_two_looks_is_never_seen(store: GalleryStore) -> None:
    add(store, "Ada", 1)
    add(store, "Bo", 2)
    store.remove("Bo")
    found = store.delta(KEY, 1)
    assert not len(found.added_ids)
    assert not len(found.removed_ids)


def test_a_photograph_without_a_row_is_swept_and_the_others_stay(store: GalleryStore) -> None:
    add(store, "Ada", 1)
    orphan, data = photo(99)
    store.photos.put(orphan, data)
    leftover = store.photos.path(orphan).with_suffix(".jpg.123.tmp")
    leftover.write_bytes(b"half a photo")
    assert store.sweep() == 2
    assert not store.photos.path(orphan).exists()
    assert not leftover.exists()
    assert store.photos.read(photo(1)[0]) == photo(1)[1]


def test_photographs_of_removed_subjects_are_not_swept(store: GalleryStore) -> None:
    add(store, "Ada", 1)
    store.remove("Ada")
    assert store.sweep() == 0
    assert store.photos.read(photo(1)[0]) == photo(1)[1]


def test_a_photograph_that_was_changed_or_lost_is_named(store: GalleryStore) -> None:
    add(store, "Ada", 1)
    path = store.photos.path(photo(1)[0])
    path.write_bytes(b"something else")
    with pytest.raises(GalleryCorrupt, match=f"{path.name} is not what was enrolled"):
        store.photos.read(photo(1)[0])
    path.unlink()
    with pytest.raises(GalleryCorrupt, match=f"{path.name} cannot be read"):
        store.photos.read(photo(1)[0])


def test_a_full_disk_refuses_a_photograph_and_the_gallery_is_as_before(
    store: GalleryStore, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    add(store, "Ada", 1)
    data = bytes(200_000)
    large = PhotoRecord(hashlib.sha256(data).hexdigest(), "jpg", "large.jpg", 10, 20, len(data))
    with full_disk(100_000), pytest.raises(StorageError, match="cannot keep the photograph"):
        store.add("Bo", template(2), large, data)
    assert [subject.name for subject in store.subjects()] == ["Ada"]
    assert (store.epoch(), store.sweep()) == (1, 0)
    assert store.add("Bo", template(2), large, data).new


def test_a_damaged_vector_is_refused(store: GalleryStore) -> None:
    add(store, "Ada", 1)
    add(store, "Bo", 2)
    with store.database.write() as connection:
        connection.execute(update(templates).where(templates.c.id == 1).values(vector=b"\x00" * 7))
    with pytest.raises(GalleryCorrupt, match=r"differ in length.*reembed --force"):
        store.snapshot(KEY)


def test_thresholds_come_from_the_card_until_a_calibration_is_saved(store: GalleryStore) -> None:
    card = Thresholds(0.4, 0.05, votes=0.6)
    assert store.thresholds(KEY, card) == card
    CalibrationStore(store.database).save(KEY, match=0.5, margin=0.02, fmr=1e-3, report={"pairs": 3})
    assert store.thresholds(KEY, card) == Thresholds(0.5, 0.02, votes=0.6, origin="calibration:1")
    assert store.thresholds(OTHER_KEY, card) == card
    assert store.thresholds(KEY, card, epoch=0) == card
    CalibrationStore(store.database).save(KEY, match=0.6, margin=0.02, fmr=1e-3, report={})
    assert store.thresholds(KEY, card).origin == "calibration:2"
    assert store.thresholds(KEY, card, epoch=1).match == 0.5
    saved = CalibrationStore(store.database).current(KEY)
    assert saved is not None
    assert (saved.match, saved.epoch, saved.fmr) == (0.6, 2, 1e-3)


def test_a_second_process_sees_what_the_first_wrote(store: GalleryStore, tmp_path: Path) -> None:
    add(store, "Ada", 1)
    other = Database.open(tmp_path / "data")
    assert same(GalleryStore(other).snapshot(KEY), store.snapshot(KEY))
    other.close()
