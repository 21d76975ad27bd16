"""Whatever comes first, however often, and however many processes write: the alerts are the same."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from gallery.database import Database
from gallery.tables import alert_deliveries, alert_events, alert_hits, alert_outbox, alert_rules, alerts
from pipeline.types import Outcome, Sighting
from tests.workers.alerts.world import EVERYTHING, Desk, Track, content
from workers.alerts.deliveries.receiver import Receiver, Way
from workers.alerts.deliveries.receiver_store import ReceiverStore
from workers.alerts.rules import Kind, When

CAMERAS = ("gate", "yard", "door")
PEOPLE = (None, "a" * 16, "b" * 16)


@st.composite
def streams(draw: st.DrawFn) -> list[list[Sighting]]:
    """What each camera tells, in its order: tracks that are named, renamed and ended."""
    told = []
    for camera in CAMERAS[: draw(st.integers(1, 3))]:
        stream: list[Sighting] = []
        for number in range(draw(st.integers(1, 3))):
            track = Track(camera, number, draw(st.integers(0, 12)) * 60.0)
            said = draw(st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=4))
            attacked = draw(st.booleans())
            for revision, who in enumerate(said):
                last = revision == len(said) - 1
                outcome = Outcome.SUSPECTED_ATTACK if attacked and last else None
                stream.append(track.says(revision, who, outcome=outcome, end=last))
        told.append(stream)
    return told


@st.composite
def deliveries(draw: st.DrawFn, told: list[list[Sighting]]) -> list[list[Sighting]]:
    """Batches of them: cameras in any order, and each begun again from anywhere before where it is."""
    places, batches = [0] * len(told), []
    while any(place < len(stream) for place, stream in zip(places, told, strict=True)):
        camera = draw(st.integers(0, len(told) - 1))
        start = draw(st.integers(0, places[camera]))
        end = min(len(told[camera]), max(places[camera], start + draw(st.integers(1, 4))))
        batches.append(told[camera][start:end])
        places[camera] = max(places[camera], end)
    return batches


@contextmanager
def cleared(database: Database) -> Iterator[Desk]:
    """A desk on a database without alerts; hypothesis asks for many."""
    with database.write() as connection:
        for table in (alert_outbox, alert_events, alert_hits, alerts, alert_rules, alert_deliveries):
            connection.execute(delete(table))
    desk = Desk(database)
    told = ReceiverStore(database).add(Receiver("", "them", Way.MAIL, addresses=("a@b.example",)))
    desk.rule("known", cooldown_s=90, deliveries=(told.id,))
    desk.rule("unknown", When(Kind.UNKNOWN), cooldown_s=90)
    yield desk


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = Database.open(tmp_path_factory.mktemp("kept"))
    yield opened
    opened.close()


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_and_any_repetition_gives_the_same_alerts(kept: Database, data: st.DataObject) -> None:
    told = data.draw(streams())
    with cleared(kept) as desk:
        for stream in told:
            desk.take(*stream)
        wanted = content(desk.alerts(*EVERYTHING))
    with cleared(kept) as desk:
        for batch in data.draw(deliveries(told)):
            desk.take(*batch)
        assert content(desk.alerts(*EVERYTHING)) == wanted


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=streams())
def test_what_is_written_twice_changes_nothing_and_sends_nothing(
    kept: Database, told: list[list[Sighting]]
) -> None:
    with cleared(kept) as desk:
        everything = [sighting for stream in told for sighting in stream]
        desk.take(*everything)
        before = dump(kept)
        desk.changed.clear()
        desk.take(*everything)
        for sighting in everything:
            desk.another().write([sighting])
        assert dump(kept) == before
        assert desk.changed == []


def dump(database: Database) -> list[object]:
    with database.read() as connection:
        return [
            sorted(map(tuple, connection.execute(select(table)).all()), key=repr)
            for table in (alerts, alert_hits, alert_events, alert_outbox)
        ]


def test_a_batch_that_fails_leaves_nothing_and_is_taken_when_it_comes_again(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    desk = Desk(database)
    desk.rule()
    with database.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER no BEFORE INSERT ON alert_hits WHEN NEW.camera_id = 'yard' "
            "BEGIN SELECT RAISE(ABORT, 'killed here'); END"
        )
    batch = [Track("gate").says(0, "a" * 16), Track("yard", 2, 9000).says(0, "b" * 16)]
    with pytest.raises(Exception, match="killed here"):
        desk.take(*batch)
    assert desk.alerts(*EVERYTHING) == []
    with database.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER no")
    desk.take(*batch)
    assert len(desk.alerts()) == 2
    database.close()


def test_threads_that_write_at_once_merge_into_one_visit() -> None:
    with TemporaryDirectory() as folder:
        database = Database.open(Path(folder))
        desk = Desk(database)
        desk.rule(cooldown_s=300)
        write_at_once(desk)
        assert desk.only().sightings == 4 * 5
        database.close()


def write_at_once(desk: Desk) -> None:
    """Four processes, each with a camera of its own, all of one person."""
    gate, failures = threading.Barrier(4), []

    def watch(camera: int) -> None:
        engine = desk.another()
        gate.wait()
        try:
            for number in range(5):
                start_s = (number * 4 + camera) * 30.0
                engine.write([Track(f"camera {camera}", number, start_s).says(0, "a" * 16, end=True)])
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=watch, args=(camera,)) for camera in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
