"""Sightings: kept once, whole, and found by what people ask for."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit.sightings import SightingStore, decode, encode
from gallery.database import DATABASE_NAME, Database
from pipeline.errors import StorageError
from pipeline.types import Outcome, Revision, Sighting

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)

EXAMPLE = Sighting(
    decision_id="d0",
    run_id="run",
    revision=Revision.END,
    revision_number=2,
    camera_id="door",
    stream_epoch=3,
    track_id=17,
    outcome=Outcome.KNOWN,
    subject_id="s1",
    candidate_id="s1",
    similarity=0.612345,
    runner_up=0.2,
    margin=0.412345,
    threshold=0.45,
    threshold_origin="card",
    votes=0.75,
    first_seen_s=1.25,
    last_seen_s=7.5,
    first_seen_at="2025-03-01T11:59:53.750Z",
    last_seen_at="2025-03-01T12:00:00Z",
    frames=120,
    crops=5,
    dropped_by_cause={"blurred": 3, "age": 1},
    attack_evidence=None,
    detector="yunet@1",
    embedder="model@1",
    purifier="none",
    align_version="arcface-112-v1",
    gallery_epoch=9,
    reason="similarity 0.612 reaches the threshold 0.450",
)


@pytest.fixture
def store(database: Database) -> SightingStore:
    return SightingStore(database)


def at(number: int, **changes: object) -> Sighting:
    """A sighting `number` minutes after noon."""
    seen = (NOON + timedelta(minutes=number)).isoformat()
    return replace(EXAMPLE, decision_id=f"d{number}", track_id=number, last_seen_at=seen, **changes)  # type: ignore[arg-type]


def ids(found: list[Sighting]) -> list[str]:
    return [sighting.decision_id for sighting in found]


def test_a_sighting_comes_back_as_it_was(store: SightingStore) -> None:
    assert store.write([EXAMPLE]) == 1
    assert store.get("d0") == EXAMPLE
    assert store.get("other") is None
    assert store.query() == [EXAMPLE]


def test_equal_sightings_are_equal_text(store: SightingStore) -> None:
    other = replace(EXAMPLE, dropped_by_cause={"age": 1, "blurred": 3})
    assert encode(other) == encode(EXAMPLE)
    assert decode(encode(EXAMPLE)) == EXAMPLE


def test_the_first_durable_write_wins(store: SightingStore, tmp_path: Path) -> None:
    store.write([EXAMPLE])
    changed = replace(EXAMPLE, reason="another reason")
    assert store.write([changed, at(1)]) == 1
    assert store.write([EXAMPLE, at(1)]) == 0
    other = Database.open(tmp_path / "data")
    assert SightingStore(other).get("d0") == EXAMPLE
    other.close()


def test_one_batch_may_repeat_itself(store: SightingStore) -> None:
    assert store.write([EXAMPLE, EXAMPLE]) == 1


def test_they_are_found_by_camera_outcome_and_subject(store: SightingStore) -> None:
    store.write(
        [
            at(1),
            at(2, camera_id="gate"),
            at(3, outcome=Outcome.UNKNOWN, subject_id=None),
            at(4, subject_id="s2", candidate_id="s2", revision=Revision.NEW),
        ]
    )
    assert ids(store.query(camera_id="gate")) == ["d2"]
    assert ids(store.query(outcome=Outcome.UNKNOWN)) == ["d3"]
    assert ids(store.query(subject_id="s1")) == ["d2", "d1"]
    assert ids(store.query(candidate_id="s1")) == ["d3", "d2", "d1"]
    assert ids(store.query(final=True)) == ["d3", "d2", "d1"]
    assert ids(store.query(limit=2)) == ["d4", "d3"]


def test_they_are_found_by_time_however_it_is_written(store: SightingStore) -> None:
    store.write([at(1), at(2), at(3), replace(EXAMPLE, last_seen_at=None)])
    store.write([replace(EXAMPLE, decision_id="east", last_seen_at="2025-03-01T14:02:30+02:00")])
    assert ids(store.query(since=NOON + timedelta(minutes=2))) == ["d3", "east", "d2"]
    assert ids(store.query(until=NOON + timedelta(minutes=2))) == ["d1"]
    assert ids(store.query())[-1] == "d0"


def test_a_full_disk_keeps_none_of_a_batch(database: Database, store: SightingStore, tmp_path: Path) -> None:
    store.write([at(n) for n in range(5)])
    with database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StorageError, match="Nothing stored before is lost"):
        store.write([at(n, reason="x" * 5000) for n in range(5, 50)])
    database.close()
    with sqlite3.connect(tmp_path / "data" / DATABASE_NAME) as plain:
        assert plain.execute("SELECT count(*) FROM sightings").fetchone() == (5,)
    plain.close()


def test_nothing_is_added_to_a_track_that_has_ended_and_what_is_kept_is_told(store: SightingStore) -> None:
    new = replace(EXAMPLE, decision_id="n0", revision=Revision.NEW, revision_number=0)
    assert store.keep([new, EXAMPLE]) == [new, EXAMPLE]
    late = replace(new, decision_id="u1", revision=Revision.UPDATE)
    again = replace(EXAMPLE, reason="decided on half of the evidence")
    other = replace(late, decision_id="u2", track_id=18)
    assert store.keep([late, again, other]) == [EXAMPLE, other]
    assert store.get("u1") is None
    assert store.get("d0") == EXAMPLE
