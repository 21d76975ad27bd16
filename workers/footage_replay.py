"""Decides recorded footage again from its pictures, and says where that parts from what was decided live.

From crops a decision must come out as the same bytes. From footage more may differ: a live camera drops
frames that the recording holds, and another decoder or machine rounds otherwise. So tracks are compared one
by one: the same outcome and subject, similarities within a tolerance, and the moment of the first crop that
is another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from audit.crops import CropStore
from audit.decisions import DecisionEntry, DecisionRecord
from audit.ledger.keys import KeyRing
from audit.replay import differences_of, embedded, with_verdict
from pipeline.decide import decide
from pipeline.errors import Erased
from pipeline.seams import FaceEmbedder, FrameSource, GalleryIndex
from pipeline.types import FaceCrop, Sighting, TrackEnded
from workers.reader import Reader

SIMILARITY_TOLERANCE = 0.01
"""How far a similarity may be off for a track to count as decided alike."""


@dataclass(frozen=True, slots=True)
class TrackReplay:
    """One track, decided again.

    Attributes:
        track_id: In its epoch.
        recorded: What was decided; ``None``: then there was no such track, or it was erased.
        derived: What comes out now; ``None``: now there is no such track.
        differences: What is not the same, by field.
        crops: How many crops were compared then.
        same_crops: How many of them come out of the footage with the same pixels.
        differs_from_s: When the first crop was taken that is not the same, seconds since the epoch began.
    """

    track_id: int
    recorded: Sighting | None
    derived: Sighting | None
    differences: Mapping[str, tuple[object, object]] = field(default_factory=dict)
    crops: int = 0
    same_crops: int = 0
    differs_from_s: float | None = None

    @property
    def identical(self) -> bool:
        """Whether the decision comes out as the same bytes."""
        return self.recorded is not None and self.derived is not None and not self.differences

    @property
    def alike(self) -> bool:
        """Whether the outcome is the same, and the similarity within :data:`SIMILARITY_TOLERANCE`."""
        before, after = self.recorded, self.derived
        if before is None or after is None:
            return False
        named = (before.outcome, before.subject_id) == (after.outcome, after.subject_id)
        if before.similarity is None or after.similarity is None:
            return named and before.similarity is after.similarity
        return named and abs(before.similarity - after.similarity) <= SIMILARITY_TOLERANCE


@dataclass(frozen=True, slots=True)
class FootageReport:
    """One epoch of one camera, decided again.

    Attributes:
        camera_id: Whose.
        stream_epoch: Of which epoch.
        frames: How many were read.
        missing: How many were recorded and cannot be decoded any more.
        erased: Tracks that were erased since.
        tracks: The others.
    """

    camera_id: str
    stream_epoch: int
    frames: int
    missing: int
    erased: int
    tracks: tuple[TrackReplay, ...]


@dataclass(frozen=True, slots=True)
class _Derived:
    """What the footage shows of a track."""

    crops: list[FaceCrop] = field(default_factory=list)
    ended: list[TrackEnded] = field(default_factory=list)


class FootageReplay:
    """Decides footage again.

    Args:
        keys: Open what is sealed.
        crops: The kept crops.
        embedder: Purifier and embedder.
        gallery: The gallery as of an epoch.
        open_source: The footage of a camera's epoch.
        new_reader: What turns a camera's frames into crops.
    """

    def __init__(
        self,
        keys: KeyRing,
        crops: CropStore,
        embedder: FaceEmbedder,
        gallery: Callable[[int], GalleryIndex],
        *,
        open_source: Callable[[str, int], FrameSource],
        new_reader: Callable[[FrameSource], Reader],
    ) -> None:
        self._keys, self._crops, self._embedder, self._gallery = keys, crops, embedder, gallery
        self._open_source, self._new_reader = open_source, new_reader

    def run(
        self, entries: Iterable[DecisionEntry], on_frame: Callable[[], None] = lambda: None
    ) -> Iterator[FootageReport]:
        """Each camera and epoch that the decisions are of.

        Args:
            entries: The last decision of every track, of one run.
            on_frame: Told of every frame.

        Raises:
            SourceNotFound: there is no footage of a camera and epoch.
        """
        for (camera_id, epoch), some in _by_epoch(entries).items():
            yield self._epoch(camera_id, epoch, some, on_frame)

    def _epoch(
        self, camera_id: str, epoch: int, entries: Sequence[DecisionEntry], on_frame: Callable[[], None]
    ) -> FootageReport:
        records, erased = self._records(entries)
        source = self._open_source(camera_id, epoch)
        try:
            frames, derived = self._read(source, on_frame)
        finally:
            source.close()
        numbers = sorted({*records, *(number for number in derived if number not in erased)})
        tracks = tuple(self._track(number, records.get(number), derived.get(number)) for number in numbers)
        missing = sum(source.dropped_by_cause.values())
        return FootageReport(camera_id, epoch, frames, missing, len(erased), tracks)

    def _records(self, entries: Sequence[DecisionEntry]) -> tuple[dict[int, DecisionRecord], set[int]]:
        records: dict[int, DecisionRecord] = {}
        erased: set[int] = set()
        for entry in entries:
            try:
                records[entry.track_id] = entry.unseal(self._keys)
            except Erased:
                erased.add(entry.track_id)
        return records, erased

    def _read(self, source: FrameSource, on_frame: Callable[[], None]) -> tuple[int, dict[int, _Derived]]:
        reader, frames = self._new_reader(source), 0
        found: dict[int, _Derived] = {}
        for frame in source.frames():
            _sort(reader.read(frame).messages, found)
            frames += 1
            on_frame()
        _sort(reader.finish(), found)
        return frames, found

    def _track(self, number: int, record: DecisionRecord | None, derived: _Derived | None) -> TrackReplay:
        if record is None:
            return TrackReplay(number, None, None)
        recorded = record.sighting
        if derived is None or not derived.ended:
            return TrackReplay(number, recorded, None, crops=len(record.evidence))
        compared = derived.crops[: max(recorded.crops, 0)] if recorded.crops else []
        evidence = embedded(compared, self._embedder)
        verdict = decide(evidence, self._gallery(recorded.gallery_epoch), record.thresholds)
        again = with_verdict(recorded, verdict, recorded.gallery_epoch)
        same, parts_at = self._same(record, compared)
        return TrackReplay(
            number, recorded, again, differences_of(recorded, again), len(record.evidence), same, parts_at
        )

    def _same(self, record: DecisionRecord, derived: Sequence[FaceCrop]) -> tuple[int, float | None]:
        """How many crops are the same pixels, and when the first one was taken that is not."""
        kept = {crop.sequence: crop for crop in self._crops.read(record.sighting.run_id, record.key)}
        now = {crop.sequence: crop for crop in derived}
        same, parts_at = 0, None
        for crop in record.evidence:
            before, after = kept.get(crop.sequence), now.get(crop.sequence)
            if before is not None and after is not None and _equal(before, after):
                same += 1
            elif parts_at is None:
                parts_at = crop.pts_ns / 1e9
        return same, parts_at


def _by_epoch(entries: Iterable[DecisionEntry]) -> dict[tuple[str, int], list[DecisionEntry]]:
    found: dict[tuple[str, int], list[DecisionEntry]] = {}
    for entry in entries:
        found.setdefault((entry.camera_id, entry.stream_epoch), []).append(entry)
    return dict(sorted(found.items()))


def _sort(messages: Iterable[FaceCrop | TrackEnded], found: dict[int, _Derived]) -> None:
    for message in messages:
        track = found.setdefault(message.key.track_id, _Derived())
        if isinstance(message, FaceCrop):
            track.crops.append(message)
        else:
            track.ended.append(message)


def _equal(before: FaceCrop, after: FaceCrop) -> bool:
    return before.pts_ns == after.pts_ns and np.array_equal(before.image_rgb, after.image_rgb)
