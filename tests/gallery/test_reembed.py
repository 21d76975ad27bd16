"""Making templates again: for another model, after damage, and failing halfway."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update

from gallery.database import Database
from gallery.enroll import Enroller
from gallery.importer import import_items, plan_import
from gallery.index import FaissIndex
from gallery.records import Snapshot
from gallery.reembed import reembed
from gallery.store import GalleryStore
from gallery.tables import templates
from gallery.vision import Vision
from pipeline.errors import GalleryBusy, GalleryCorrupt, TemplateKeyMismatch
from pipeline.types import ByteArray, Embedding, Thresholds
from tests.gallery.fakes import KEY, OTHER_KEY, PatternEmbedder, make_vision, write_person


class Interrupted(PatternEmbedder):
    """Does something else after the first batch: fails, or lets somebody else change the gallery."""

    def __init__(self, after_first: object) -> None:
        super().__init__(OTHER_KEY)
        self._calls = 0
        self._after_first = after_first

    def embed(self, crops_rgb: list[ByteArray]) -> list[Embedding]:  # type: ignore[override]
        self._calls += 1
        if self._calls == 2:
            self._after_first()  # type: ignore[operator]
        return super().embed(crops_rgb)


def with_embedder(embedder: PatternEmbedder) -> Vision:
    plain = make_vision()
    return Vision(plain.detector, embedder, plain.judge)


@pytest.fixture
def filled(enroller: Enroller, store: GalleryStore, tmp_path: Path) -> Snapshot:
    """Twenty photographs of ten people: two batches."""
    for person in range(10):
        for variation in range(2):
            photo = tmp_path / "crowd" / f"person {person}" / f"{variation}.png"
            write_person(photo, person * 100, variation)
    report = import_items(plan_import(tmp_path / "crowd"), enroller)
    assert report.enrolled == 20
    return store.snapshot(KEY)


def test_all_templates_are_replaced_in_one_epoch(store: GalleryStore, filled: Snapshot) -> None:
    done = reembed(store, make_vision(OTHER_KEY))
    assert (done.templates, done.dropped, done.epoch) == (20, (), filled.epoch + 1)
    fresh = store.snapshot(OTHER_KEY)
    assert fresh.subject_ids == filled.subject_ids
    assert np.allclose(fresh.vectors, filled.vectors, atol=1e-6)
    assert np.array_equal(store.snapshot(KEY, epoch=filled.epoch).vectors, filled.vectors)
    with pytest.raises(TemplateKeyMismatch):
        store.snapshot(KEY)
    with pytest.raises(TemplateKeyMismatch):
        store.delta(KEY, filled.epoch)


def test_the_same_model_changes_nothing_unless_forced(store: GalleryStore, filled: Snapshot) -> None:
    assert reembed(store, make_vision()).templates == 0
    assert store.epoch() == filled.epoch
    assert reembed(store, make_vision(), force=True).templates == 20
    again = store.snapshot(KEY)
    assert np.array_equal(again.vectors, filled.vectors)
    index = FaissIndex(filled)
    index.apply(store.delta(KEY, filled.epoch))
    assert len(index) == 20


def test_an_empty_gallery_needs_nothing(store: GalleryStore) -> None:
    assert reembed(store, make_vision(OTHER_KEY)).templates == 0


def test_failing_halfway_keeps_everything(store: GalleryStore, filled: Snapshot) -> None:
    def fail() -> None:
        raise MemoryError("no memory left")

    with pytest.raises(MemoryError):
        reembed(store, with_embedder(Interrupted(fail)))
    kept = store.snapshot(KEY)
    assert kept.epoch == filled.epoch
    assert np.array_equal(kept.vectors, filled.vectors)


def test_somebody_who_enrolls_meanwhile_is_not_lost(
    store: GalleryStore, filled: Snapshot, thresholds: Thresholds, tmp_path: Path
) -> None:
    def enroll() -> None:
        other = Enroller(GalleryStore(store.database), make_vision(), thresholds)
        other.enroll("Late", [write_person(tmp_path / "late.png", 4242)])

    with pytest.raises(GalleryBusy, match="nothing was replaced"):
        reembed(store, with_embedder(Interrupted(enroll)))
    assert len(store.snapshot(KEY).subject_ids) == 21
    assert reembed(store, make_vision(OTHER_KEY)).templates == 21


def test_a_lost_photograph_stops_it_and_is_named_unless_it_may_be_dropped(
    store: GalleryStore, filled: Snapshot
) -> None:
    lost = store.photos.path(store.templates()[3].photo)
    lost.unlink()
    with pytest.raises(GalleryCorrupt, match=rf"nothing was changed:\n.*{lost.name}.*\n.*--skip-broken"):
        reembed(store, make_vision(OTHER_KEY))
    assert store.epoch() == filled.epoch
    done = reembed(store, make_vision(OTHER_KEY), skip_broken=True)
    assert done.templates == 19
    assert lost.name in done.dropped[0]
    assert len(store.snapshot(OTHER_KEY).subject_ids) == 19


def test_damaged_vectors_are_made_again(store: GalleryStore, filled: Snapshot) -> None:
    with store.database.write() as connection:
        connection.execute(update(templates).where(templates.c.id == 2).values(vector=b"damage"))
    with pytest.raises(GalleryCorrupt):
        store.snapshot(KEY)
    reembed(store, make_vision(), force=True)
    assert np.array_equal(store.snapshot(KEY).vectors, filled.vectors)


def test_a_disk_that_fills_up_keeps_everything(
    store: GalleryStore, filled: Snapshot, database: Database, tmp_path: Path
) -> None:
    with database.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    small = Database.open(tmp_path / "data")
    with small.engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    from pipeline.errors import StorageError

    with pytest.raises(StorageError, match="disk full"):
        reembed(GalleryStore(small), make_vision(OTHER_KEY))
    small.close()
    assert np.array_equal(store.snapshot(KEY).vectors, filled.vectors)
