"""Erases a subject everywhere below a data folder, and says what it could not erase."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from audit.crops import CropStore
from audit.ledger.entries import Kind
from audit.ledger.keys import KeyRing
from audit.ledger.writer import Ledger
from audit.recording.closed import ClosedSegment
from audit.recording.library import Recordings
from audit.scopes import scope_of
from audit.search.faces import FaceStore
from audit.unknowns.retention import expire
from gallery.database import Database
from gallery.erase import (
    SeenTrack,
    erase_subject,
    erased_scopes,
    find_subject,
    scrub,
)
from gallery.times import utc_text
from pipeline.errors import PinwatchError, StorageError
from pipeline.seams import Clock
from pipeline.types import Sighting, TrackKey

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Footage:
    """Footage that still shows the erased person; it goes when its retention is over, or with `recordings`.

    Attributes:
        camera_id: Of which camera.
        stream_epoch: Of the camera.
        first_pts_ns: Of the segment.
        captured: When it was captured, ISO 8601 UTC; ``None`` where nobody knows.
        file: Below the data folder.
    """

    camera_id: str
    stream_epoch: int
    first_pts_ns: int
    captured: str | None
    file: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased, without a name.

    Attributes:
        subject_id: The opaque id, which is all that is left.
        erased_at: ISO 8601 UTC.
        gallery_epoch: Since which they are gone.
        templates: How many were emptied.
        photographs: How many were deleted.
        sightings: How many decisions were deleted from the database.
        tracks: How many tracks had their keys destroyed: crops and decisions in the ledger cannot be read.
        footage: What still shows them.
        notes: What whoever asked has to know.
    """

    subject_id: str
    erased_at: str
    gallery_epoch: int
    templates: int
    photographs: int
    sightings: int
    tracks: int
    footage: tuple[Footage, ...]
    notes: tuple[str, ...]


_NOTES = (
    "backups made before still hold templates, photographs and the name: make new ones and destroy them",
    "files that were written elsewhere (--sightings, --annotate, --crops, exports) were not looked at",
)


class Eraser:
    """Erases people.

    Args:
        database: Gallery and sightings.
        keys: Of what is sealed.
        crops: The kept crops.
        recordings: Footage, of which the receipt tells.
        ledger: Is told; ``None`` where none is kept.
        clock: Time.
    """

    def __init__(
        self,
        database: Database,
        keys: KeyRing,
        crops: CropStore,
        recordings: Recordings,
        *,
        ledger: Ledger | None,
        clock: Clock,
    ) -> None:
        self._database, self._keys, self._crops = database, keys, crops
        self._recordings, self._ledger, self._clock = recordings, ledger, clock

    def erase(self, name_or_id: str, by: str) -> Receipt:
        """Erase somebody who is, or was, enrolled.

        Args:
            name_or_id: Whom.
            by: Who asked for it.

        Raises:
            SubjectNotFound: nobody is, or was, enrolled so.
            StorageError: something cannot be written; do it again, by the id.
        """
        now = utc_text(dt.datetime.fromtimestamp(self._clock.now_ns() / _NS, dt.UTC))
        subject_id = find_subject(self._database, name_or_id)
        faces = FaceStore(self._database, now_ns=self._clock.now_ns)
        shown = faces.of_subject(subject_id)
        done = erase_subject(
            self._database,
            subject_id,
            now,
            shown,
            scopes=self._keys.scopes_of(subject_id),
            scope_of=lambda track: scope_of(track.run_id, _key(track)),
        )
        faces.forget({*shown, *(record.decision_id for record in _decisions(done.tracks))})
        self._forget(done.scopes, {"subjects": [subject_id], "by": by, "gallery_epoch": done.epoch})
        self._scrub(subject_id)
        return Receipt(
            subject_id,
            now,
            done.epoch,
            done.templates,
            done.photos,
            done.sightings,
            len(done.scopes),
            tuple(self._footage(done.tracks)),
            _NOTES,
        )

    def _scrub(self, subject_id: str) -> None:
        try:
            scrub(self._database)
        except PinwatchError as error:
            raise StorageError(f"{subject_id} is erased, but {error}, with this id") from error

    def follow(self) -> int:
        """Destroy the keys of tracks that were erased from another data folder, or by a process that died."""
        scopes = [scope for scope in erased_scopes(self._database) if self._keys.find(scope) is not None]
        self._forget(scopes, {"by": "erased elsewhere"})
        return len(scopes)

    def expire_unknown(self, older_than_s: float) -> int:
        """Make unreadable what was seen, so long ago, of people named as nobody; how many tracks."""
        before_ns = self._clock.now_ns() - int(older_than_s * _NS)
        expire(self._database, dt.datetime.fromtimestamp(before_ns / _NS, dt.UTC))
        scopes = self._keys.unnamed_before(before_ns)
        self._forget(scopes, {"by": "retention"})
        return len(scopes)

    def _forget(self, scopes: Collection[str], fields: dict[str, object]) -> None:
        """The ledger first: if this process dies meanwhile, what is missing afterwards is explained."""
        if not scopes and "subjects" not in fields:
            return
        if self._ledger is not None:
            self._ledger.append(Kind.ERASURE, {**fields, "scopes": list(scopes)})
        self._keys.destroy(scopes)
        for scope in scopes:
            self._crops.erase(scope)

    def _footage(self, tracks: Sequence[SeenTrack]) -> Iterable[Footage]:
        seen: set[str] = set()
        for track in tracks:
            for segment in self._segments(track):
                file = str(segment.path.relative_to(self._recordings.root.parent))
                if file not in seen:
                    seen.add(file)
                    yield _footage(segment, file)

    def _segments(self, track: SeenTrack) -> Iterable[ClosedSegment]:
        made = _decisions([track])
        first = min(sighting.first_seen_s for sighting in made)
        last = max(sighting.last_seen_s for sighting in made)
        return self._recordings.between(
            track.camera_id, track.stream_epoch, int(first * _NS), int(last * _NS)
        )


def _decisions(tracks: Sequence[SeenTrack]) -> list[Sighting]:
    return [msgspec.json.decode(record, type=Sighting) for track in tracks for record in track.records]


def _key(track: SeenTrack) -> TrackKey:
    return TrackKey(track.camera_id, track.stream_epoch, track.track_id)


def _footage(segment: ClosedSegment, file: str) -> Footage:
    captured = segment.first_captured_at_ns
    moment = None if captured is None else utc_text(dt.datetime.fromtimestamp(captured / _NS, dt.UTC))
    return Footage(segment.camera_id, segment.stream_epoch, segment.first_pts_ns, moment, file)
