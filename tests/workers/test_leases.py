"""Readers share cameras: all are read, each by one, and those of the dead move on."""

from __future__ import annotations

import pytest

from gallery.database import Database
from pipeline.clock import ManualClock
from pipeline.errors import GalleryBusy
from workers.leases import BEAT_S, GIVE_UP_S, LEASE_S, CameraLeases

CAMERAS = [f"cam{number}" for number in range(7)]


class Site:
    """Some readers on one database and one clock."""

    def __init__(self, database: Database) -> None:
        self._database, self.clock = database, ManualClock()
        self.readers: dict[str, CameraLeases] = {}
        self.held: dict[str, set[str]] = {}

    def add(self, name: str) -> None:
        self.readers[name] = CameraLeases(self._database, name, self.clock)

    def beats(self, count: int = 1, cameras: list[str] = CAMERAS) -> None:
        for _ in range(count):
            self.clock.advance(BEAT_S)
            for name, reader in self.readers.items():
                self.held[name] = reader.beat(cameras)

    def die(self, name: str) -> None:
        del self.readers[name], self.held[name]


@pytest.fixture
def site(database: Database) -> Site:
    return Site(database)


def test_one_reader_takes_all(site: Site) -> None:
    site.add("a")
    site.beats()
    assert site.held == {"a": set(CAMERAS)}


def test_more_readers_share_and_nobody_holds_what_another_holds(site: Site) -> None:
    site.add("a")
    site.beats()
    for name in ("b", "c"):
        site.add(name)
        site.beats(3)
        everything = [camera for held in site.held.values() for camera in held]
        assert sorted(everything) == CAMERAS
    assert sorted(len(held) for held in site.held.values()) == [1, 3, 3]


def test_the_cameras_of_a_dead_reader_move_on_within_fifteen_seconds(site: Site) -> None:
    for name in ("a", "b"):
        site.add(name)
    site.beats(3)
    lost = set(site.held["a"])
    assert lost
    site.die("a")
    for beats in range(1, 8):
        site.beats()
        if site.held["b"] == set(CAMERAS):
            break
        assert not site.held["b"] & lost or beats * BEAT_S >= LEASE_S, "nobody takes what may still be read"
    assert beats * BEAT_S <= 13, "with two seconds left to open the cameras"


def test_a_reader_that_leaves_gives_up_at_once(site: Site) -> None:
    for name in ("a", "b"):
        site.add(name)
    site.beats(3)
    site.readers["a"].leave()
    site.die("a")
    site.beats()
    assert site.held["b"] == set(CAMERAS)


def test_a_reader_without_the_database_gives_up_before_others_take_over(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert GIVE_UP_S + BEAT_S <= LEASE_S
    site.add("a")
    site.beats()
    reader = site.readers["a"]

    def away(*_: object) -> set[str]:
        raise GalleryBusy("held")

    monkeypatch.setattr(reader, "_raise_own", away)
    site.clock.advance(GIVE_UP_S - 1)
    with pytest.raises(GalleryBusy):
        reader.beat(CAMERAS)
    assert not reader.stale
    site.clock.advance(2)
    assert reader.stale


def test_a_reader_that_slept_through_its_lease_does_not_get_it_back_by_waking(site: Site) -> None:
    site.add("a")
    site.beats()
    sleeper = site.readers.pop("a")
    site.add("b")
    site.beats(8)
    assert site.held["b"] == set(CAMERAS)
    assert sleeper.beat(CAMERAS) == set()


def test_cameras_that_are_removed_are_given_up(site: Site) -> None:
    site.add("a")
    site.beats()
    site.beats(cameras=CAMERAS[:2])
    assert site.held["a"] == set(CAMERAS[:2])
    site.beats(cameras=[])
    assert site.held["a"] == set()
