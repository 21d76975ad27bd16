"""Readers say in the database where their pictures are, and consoles find it with the leases."""

from __future__ import annotations

from gallery.database import Database
from pipeline.clock import ManualClock
from workers.leases import BEAT_S, CameraLeases
from workers.preview_places import PreviewPlace, PreviewPlaces


def test_the_database_says_where_the_pictures_of_every_leased_camera_are(database: Database) -> None:
    clock, places = ManualClock(), PreviewPlaces(database)
    one, two = (CameraLeases(database, name, clock) for name in ("one", "two"))
    one.beat(["gate", "yard"])
    places.announce("one", "ws://one:9500")
    assert places.of_cameras()["gate"] == PreviewPlace("one", 1, "ws://one:9500")
    two.beat(["gate", "yard"])
    one.beat(["gate", "yard"])
    two.beat(["gate", "yard"])
    moved = places.of_cameras()
    assert {place.reader_id: place.url for place in moved.values()} == {"one": "ws://one:9500", "two": None}
    one.leave()
    places.announce("two", "ws://two:9500")
    places.announce("two", "ws://two:9500")
    two.beat(["gate", "yard"])
    assert {place.url for place in places.of_cameras().values()} == {"ws://two:9500"}
    places.withdraw("two")
    assert {place.url for place in places.of_cameras().values()} == {None}


def test_a_reader_that_was_held_dead_says_again_where_it_is(database: Database) -> None:
    clock, places = ManualClock(), PreviewPlaces(database)
    sleeper, other = (CameraLeases(database, name, clock) for name in ("sleeper", "other"))
    sleeper.beat(["gate"])
    places.announce("sleeper", "ws://sleeper")
    for _ in range(6):
        other.beat(["gate"])
        places.announce("other", "ws://other")
        clock.advance(BEAT_S)
    assert places.of_cameras()["gate"].url == "ws://other"
    other.leave()
    sleeper.beat(["gate"])
    places.announce("sleeper", "ws://sleeper")
    assert places.of_cameras()["gate"].url == "ws://sleeper"
