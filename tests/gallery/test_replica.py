"""The matcher's copy of the gallery: follows where it should, stands still where it must."""

from __future__ import annotations

from pathlib import Path

from gallery.enroll import Enroller
from gallery.exact import ExactIndex
from gallery.replica import EXPIRE_S, GalleryReplica
from gallery.store import GalleryStore
from pipeline.clock import ManualClock
from pipeline.types import Thresholds
from tests.gallery.fakes import KEY, write_person


def replica_of(
    store: GalleryStore, clock: ManualClock, poll_s: float | None, log: list[str]
) -> GalleryReplica:
    return GalleryReplica(
        store,
        ExactIndex(store.snapshot(KEY)),
        lambda epoch: Thresholds(match=0.5 + epoch / 100, margin=0.0),
        clock,
        poll_s=poll_s,
        expire=lambda: log.append("expire"),
    )


def test_it_follows_the_database_when_it_is_time_to_ask(
    store: GalleryStore, enroller: Enroller, tmp_path: Path
) -> None:
    clock = ManualClock()
    replica = replica_of(store, clock, 0.5, [])
    enroller.enroll("Ada", [write_person(tmp_path / "ada.png", 1, 0)])
    replica.refresh()
    assert replica.index.gallery_epoch == 0, "it asked before it was time"
    clock.advance(0.6)
    replica.refresh()
    assert replica.index.gallery_epoch == store.epoch() == 1
    assert replica.thresholds.match == 0.51, "thresholds of another epoch than the index"


def test_a_recording_is_decided_against_the_gallery_as_it_was(
    store: GalleryStore, enroller: Enroller, tmp_path: Path
) -> None:
    clock = ManualClock()
    expired: list[str] = []
    replica = replica_of(store, clock, None, expired)
    enroller.enroll("Ada", [write_person(tmp_path / "ada.png", 1, 0)])
    clock.advance(3600)
    replica.refresh()
    assert replica.index.gallery_epoch == 0
    assert not expired


def test_memberships_end_while_a_camera_is_watched(store: GalleryStore) -> None:
    clock = ManualClock()
    expired: list[str] = []
    replica = replica_of(store, clock, 0.5, expired)
    for _ in range(10):
        clock.advance(EXPIRE_S / 4)
        replica.refresh()
    assert len(expired) == 2
