"""Erasing reaches everything below a data folder, and says what it cannot reach."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from audit.erase import Eraser
from audit.ledger.entries import Kind
from audit.ledger.signing import Verifier
from audit.ledger.writer import Ledger
from audit.recording.library import Recordings
from audit.scopes import scope_of
from audit.search.faces import FaceStore, TrackFace
from audit.sightings import SightingStore
from audit.verdicts import Opinion, VerdictStore
from audit.verification import verify_folder
from gallery.database import Database
from gallery.erase import erased_subjects, scrub
from gallery.records import NewTemplate, PhotoRecord
from gallery.store import GalleryStore
from gallery.tables import subjects
from pipeline.clock import SystemClock
from pipeline.errors import StorageError, SubjectNotFound
from pipeline.types import Embedding, Face, Outcome, Sighting, TrackKey
from tests.audit.recorded import KEY, RUN, World, world
from tests.audit.recording.footage import record, write_clip

RED, GREY = (200, 0, 0), (120, 120, 120)
VECTOR = np.array([1, 0, 0], np.float32)


class Later(SystemClock):
    """A clock that is ahead."""

    def __init__(self, ahead_s: float) -> None:
        super().__init__()
        self._ahead_ns = int(ahead_s * 1e9)

    def now_ns(self) -> int:
        return super().now_ns() + self._ahead_ns


@pytest.fixture
def database(recorded: World) -> Iterator[Database]:
    opened = Database.open(recorded.data)
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> GalleryStore:
    """With a subject called Ruby, whose id is "red"."""
    made = GalleryStore(database, new_id=lambda: "red")
    face = Face(np.array([0, 0, 9, 9], np.float32), np.zeros((5, 2), np.float32), 0.9)
    photo = PhotoRecord("ab" * 32, "png", "ruby.png", 64, 64, 5)
    made.add("Ruby", NewTemplate(Embedding(VECTOR, KEY), face, 0.9, "d@1"), photo, b"photo")
    return made


def eraser(recorded: World, database: Database, clock: SystemClock | None = None) -> Eraser:
    return Eraser(
        database,
        recorded.keys,
        recorded.crops,
        Recordings(recorded.data),
        ledger=recorded.ledger,
        clock=clock or SystemClock(),
    )


def kept(recorded: World, database: Database, track_id: int, colour: tuple[int, int, int]) -> Sighting:
    """A decision in the ledger and in the database."""
    made = recorded.decide(track_id, colour, camera="gate")
    SightingStore(database).write([made])
    return made


def holds(recorded: World) -> bool:
    recorded.ledger.checkpoint()
    report = verify_folder(recorded.data, recorded.folder, Verifier.read(recorded.folder.public_key))
    assert report.holds, report.problems
    return True


def test_tracks_faces_verdicts_and_templates_go_and_the_rest_stays(
    recorded: World, database: Database, store: GalleryStore
) -> None:
    known, unknown = kept(recorded, database, 1, RED), kept(recorded, database, 2, GREY)
    assert (known.subject_id, unknown.subject_id) == ("red", None)
    face = TrackFace(
        known.decision_id, TrackKey("gate", 0, 1), None, Outcome.KNOWN, "red", Embedding(VECTOR, KEY), 0.5
    )
    faces, verdicts = FaceStore(database), VerdictStore(database)
    faces.keep(
        [face, replace(face, decision_id=unknown.decision_id, subject_id=None, outcome=Outcome.UNKNOWN)]
    )
    for made in (known, unknown):
        verdicts.add(made.decision_id, "me", Opinion.CONFIRM, "Ruby it is")
    receipt = eraser(recorded, database).erase("Ruby", "me")
    assert (receipt.subject_id, receipt.templates, receipt.photographs) == ("red", 1, 1)
    assert (receipt.sightings, receipt.tracks, receipt.footage) == (1, 1, ())
    assert SightingStore(database).query() == [unknown]
    assert [each.decision_id for each in faces.get([known.decision_id, unknown.decision_id])] == [
        unknown.decision_id
    ]
    assert verdicts.for_decision(known.decision_id) == []
    assert len(verdicts.for_decision(unknown.decision_id)) == 1
    assert recorded.keys.find(scope_of(RUN, TrackKey("gate", 0, 1))) is None
    assert recorded.crops.read(RUN, TrackKey("gate", 0, 2))
    assert (store.subjects(), store.names(["red"]), store.templates(epoch=1)) == ([], {}, [])
    assert erased_subjects(database) == {"red"}
    assert holds(recorded)
    with pytest.raises(SubjectNotFound):
        eraser(recorded, database).erase("Ruby", "me")


class Dies(Exception):
    """The process does."""


class DyingLedger(Ledger):
    """Its process dies when it has to say who is erased."""

    def append(self, kind: Kind, fields: Mapping[str, Any]) -> None:
        raise Dies


def test_a_process_that_dies_leaves_nothing_that_the_next_one_does_not_finish(
    recorded: World, database: Database, store: GalleryStore
) -> None:
    kept(recorded, database, 1, RED)
    ledger = DyingLedger(recorded.folder, "dies", SystemClock())
    dying = Eraser(
        database,
        recorded.keys,
        recorded.crops,
        Recordings(recorded.data),
        ledger=ledger,
        clock=SystemClock(),
    )
    with pytest.raises(Dies):
        dying.erase("Ruby", "me")
    ledger.close()
    scope = scope_of(RUN, TrackKey("gate", 0, 1))
    assert recorded.keys.find(scope) is not None
    assert eraser(recorded, database).follow() == 1
    assert recorded.keys.find(scope) is None
    receipt = eraser(recorded, database).erase("red", "me")
    assert (receipt.subject_id, receipt.photographs) == ("red", 0)
    assert b"Ruby" not in b"".join(path.read_bytes() for path in recorded.data.glob("pinwatch.db*"))
    assert holds(recorded)


def test_whoever_reads_an_older_state_is_waited_for(recorded: World, store: GalleryStore) -> None:
    quick = Database.open(recorded.data, busy_timeout_s=0.1)
    try:
        with quick.read() as connection:
            connection.execute(select(subjects)).all()
            store.remove("Ruby")
            with pytest.raises(StorageError, match="may still hold what was deleted"):
                scrub(quick, patience_s=0.2)
        scrub(quick, patience_s=0.2)
    finally:
        quick.close()


def test_a_running_matcher_is_told_to_forget(
    recorded: World, database: Database, store: GalleryStore
) -> None:
    before = store.epoch()
    assert len(store.snapshot(KEY).template_ids) == 1
    eraser(recorded, database).erase("Ruby", "me")
    delta = store.delta(KEY, before)
    assert len(delta.removed_ids) == 1
    assert len(delta.added_ids) == 0
    assert len(store.snapshot(KEY, before).template_ids) == 0, "not even as of an earlier epoch"


def test_somebody_removed_before_can_be_erased(
    recorded: World, database: Database, store: GalleryStore
) -> None:
    store.remove("Ruby")
    assert eraser(recorded, database).erase("Ruby", "me").photographs == 1
    database_bytes = b"".join(path.read_bytes() for path in recorded.data.glob("pinwatch.db*"))
    assert b"Ruby" not in database_bytes
    assert b"ruby.png" not in database_bytes


def test_a_photograph_that_somebody_else_needs_stays(
    recorded: World, database: Database, store: GalleryStore
) -> None:
    (template,) = store.templates()
    other = GalleryStore(database, new_id=lambda: "green")
    other.add(
        "Olive", NewTemplate(Embedding(VECTOR, KEY), template.face, 0.9, "d@1"), template.photo, b"photo"
    )
    assert eraser(recorded, database).erase("Ruby", "me").photographs == 0
    (left,) = store.templates()
    assert left.subject_id == "green"
    assert store.photos.path(left.photo).read_bytes() == b"photo"


def test_the_receipt_names_footage_that_shows_them(
    recorded: World, database: Database, store: GalleryStore
) -> None:
    record(write_clip(recorded.data / "clip.mp4", 20), recorded.data)
    kept(recorded, database, 1, RED)
    (footage,) = eraser(recorded, database).erase("Ruby", "me").footage
    assert (footage.camera_id, footage.stream_epoch) == ("gate", 0)
    assert (recorded.data / footage.file).is_file()


def test_another_data_folder_on_the_database_follows(
    recorded: World, database: Database, store: GalleryStore
) -> None:
    other = world(recorded.data.parent / "other")
    for each in (recorded, other):
        each.decide(1, RED, camera="gate")
    SightingStore(database).write([recorded.decide(1, RED, camera="gate")])
    eraser(recorded, database).erase("Ruby", "me")
    assert eraser(other, database).follow() == 1
    assert eraser(other, database).follow() == 0
    assert other.keys.find(scope_of(RUN, TrackKey("gate", 0, 1))) is None
    assert not list(other.data.rglob("*.crops"))
    assert holds(other)
    other.close()


def test_what_was_seen_of_nobody_expires(recorded: World, database: Database, store: GalleryStore) -> None:
    kept(recorded, database, 1, RED)
    kept(recorded, database, 2, GREY)
    day_s = dt.timedelta(days=1).total_seconds()
    assert eraser(recorded, database, Later(day_s - 60)).expire_unknown(day_s) == 0
    assert eraser(recorded, database, Later(day_s + 60)).expire_unknown(day_s) == 1
    assert recorded.keys.find(scope_of(RUN, TrackKey("gate", 0, 2))) is None
    assert recorded.keys.find(scope_of(RUN, TrackKey("gate", 0, 1))) is not None
    assert len(list(recorded.data.rglob("*.crops"))) == 1
    assert holds(recorded)
