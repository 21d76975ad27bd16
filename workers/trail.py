"""What one process leaves in the ledger: who it is, what it decided and on what, what it kept, who asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.crops import CropStore
from audit.decisions import Evidence, Journal
from audit.ledger.entries import Kind
from audit.ledger.keys import KeyRing
from audit.ledger.writer import Ledger
from audit.recording.closed import ClosedSegment
from audit.recording.retention import Removed
from audit.search.faces import FaceStore, face_of
from audit.segments import told_of
from audit.unknowns.grouper import Grouper
from pipeline.decide import WeightedEmbedding, nearest_subjects
from pipeline.redact import redact
from pipeline.types import EmbeddedFace, FaceCrop, Sighting
from workers.channel import ChannelReport
from workers.loop import Arrived, Outgoing, Refused
from workers.steps import EmbedStep, Gallery
from workers.who import on_the_command_line

NEIGHBOURS = 5
"""Subjects whose similarity is recorded with a decision."""


class EvidenceBook:
    """Remembers what decisions were made of until they are written down; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, Evidence] = {}

    def witness(self, sighting: Sighting, faces: Sequence[EmbeddedFace], gallery: Gallery) -> None:
        """See :class:`workers.steps.Witness`."""
        evidence = weighted(faces)
        neighbours = nearest_subjects(evidence, gallery.index, NEIGHBOURS) if evidence else []
        with self._lock:
            self._held[sighting.decision_id] = Evidence(faces, neighbours, gallery.thresholds)

    def take(self, decision_id: str) -> Evidence | None:
        """What a decision was made of, once."""
        with self._lock:
            return self._held.pop(decision_id, None)


class FaceKeeper:
    """Keeps the faces of ended tracks, so that they can be searched for, and groups those of unknown people.

    Args:
        store: Keeps them.
        grouper: Groups them; made when the first face comes.
    """

    def __init__(self, store: FaceStore, grouper: Callable[[], Grouper]) -> None:
        self._store, self._make_grouper = store, grouper
        self._grouper: Grouper | None = None

    def keep(self, decided: Sequence[tuple[Sighting, Evidence]]) -> None:
        """Of those decisions that ended a track."""
        found = [face_of(sighting, weighted(evidence.faces)) for sighting, evidence in decided]
        faces = [face for face in found if face is not None]
        if not faces:
            return
        self._store.keep(faces)
        if self._grouper is None:
            self._grouper = self._make_grouper()
        self._grouper.run()


class LedgerSink:
    """Decisions into the ledger, with what they were made of, and their faces where they can be searched.

    Args:
        journal: Writes them.
        book: Saw them being made.
        crops: What was put there is settled first: a decision's crops are there before it is announced.
        faces: Keeps the faces; ``None`` keeps none.
    """

    def __init__(
        self, journal: Journal, book: EvidenceBook, crops: CropStore, faces: FaceKeeper | None = None
    ) -> None:
        self._journal, self._book, self._crops, self._faces = journal, book, crops, faces

    def write(self, sightings: Sequence[Sighting]) -> None:
        found = [(sighting, self._book.take(sighting.decision_id)) for sighting in sightings]
        decided = [(sighting, evidence) for sighting, evidence in found if evidence is not None]
        if not decided:  # the loop also comes by when there is nothing: no reason to wait for the disk
            return
        self._journal.write(decided, self._crops.settle())
        if self._faces is not None:
            self._faces.keep(decided)


def weighted(faces: Sequence[EmbeddedFace]) -> list[WeightedEmbedding]:
    """Faces as a decision takes them."""
    return [WeightedEmbedding(face.embedding, face.quality) for face in faces]


class KeepingEmbedStep:
    """An :class:`EmbedStep` that keeps the crops before anybody can decide on them.

    Args:
        embed: Purifies and embeds.
        keep: Keeps the crops of a run: :meth:`CropStore.keep`, or :meth:`CropStore.put` where whoever writes
            the decisions in this process settles them.
        run_id: Of the decisions.
    """

    def __init__(
        self, embed: EmbedStep, keep: Callable[[str, Sequence[FaceCrop]], None], run_id: str
    ) -> None:
        self._embed, self._keep, self._run_id = embed, keep, run_id
        self.name, self.inputs, self.batch_size = embed.name, embed.inputs, embed.batch_size

    def process(self, batch: Sequence[Arrived]) -> Iterator[Outgoing | Refused]:
        fresh = self._embed.fresh(batch)
        crops = [item.message for item in fresh if isinstance(item.message, FaceCrop)]
        if crops:
            self._keep(self._run_id, crops)
        yield from self._embed.embed(fresh)

    def forget(self, partitions: Collection[Any]) -> None:
        self._embed.forget(partitions)

    def committable(self, read: Mapping[Any, int]) -> Mapping[Any, int]:
        return self._embed.committable(read)


@dataclass(frozen=True, slots=True)
class Trail:
    """Everything that a process writes to be audited.

    Attributes:
        ledger: Its chain.
        keys: Seal what is personal.
        crops: Keeps the crops behind decisions.
        journal: Writes decisions.
        book: Remembers what they were made of.
        faces: Keeps the faces of tracks; ``None`` where the settings want none.
    """

    ledger: Ledger
    keys: KeyRing
    crops: CropStore
    journal: Journal
    book: EvidenceBook
    faces: FaceKeeper | None

    @property
    def sink(self) -> LedgerSink:
        """Takes decisions that :attr:`book` has witnessed."""
        return LedgerSink(self.journal, self.book, self.crops, self.faces)

    def note_reports(self, reports: Sequence[ChannelReport]) -> None:
        """See :func:`note_reports`."""
        note_reports(self.ledger, reports)


def note_reports(ledger: Ledger, reports: Sequence[ChannelReport]) -> None:
    """Record what every camera showed, what was left out of it and why, and what ended it early."""
    ledger.extend([(Kind.DROPS, _told_of_camera(report)) for report in reports])


def _told_of_camera(report: ChannelReport) -> Mapping[str, Any]:
    return {
        "camera_id": report.camera_id,
        "frames": report.frames,
        "faces": report.faces,
        "dropped_by_cause": dict(report.dropped_by_cause),
        "error": None if report.error is None else redact(str(report.error)),
    }


class SegmentRecorder:
    """Writes which footage there is, and which was deleted, into the ledger.

    Args:
        ledger: Opened when there is something to write.
        root: ``<data>/recordings``.
    """

    def __init__(self, ledger: Callable[[], Ledger], root: Path) -> None:
        self._ledger, self._root = ledger, root

    def closed(self, segment: ClosedSegment) -> None:
        """A segment is whole."""
        self._ledger().append(Kind.SEGMENT, {"what": "closed", **told_of(segment, self._root)})

    def removed(self, removed: Removed) -> None:
        """A segment is about to be deleted."""
        file = str(removed.segment.path.relative_to(self._root))
        self._ledger().append(Kind.SEGMENT, {"what": "deleted", "file": file, "cause": str(removed.cause)})


class ChangeRecorder:
    """Writes changes of the gallery, and who looked at whom, into the ledger.

    Args:
        ledger: Opened when there is something to write.
        by: Who did it; the user of the system by default.
    """

    def __init__(self, ledger: Ledger, by: str | None = None) -> None:
        self._ledger, self._by = ledger, by or on_the_command_line()

    def changed(self, what: str, subject_ids: Collection[str], epoch: int) -> None:
        """See :data:`gallery.changes.Changed`."""
        fields = {"what": what, "subjects": sorted(subject_ids), "gallery_epoch": epoch, "by": self._by}
        self._ledger.append(Kind.GALLERY, fields)

    def accessed(self, what: str, subject_ids: Collection[str] = ()) -> None:
        """Somebody looked at a person's data."""
        fields = {"what": what, "subjects": sorted(subject_ids), "by": self._by}
        self._ledger.append(Kind.ACCESS, fields)
