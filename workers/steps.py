"""The steps between the topics: embed, match, record."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.decide import WeightedEmbedding, decide
from pipeline.seams import Clock, FaceEmbedder, GalleryIndex
from pipeline.types import (
    EmbeddedFace,
    FaceCrop,
    Revision,
    Sighting,
    TemplateKey,
    Thresholds,
    TrackEnded,
    TrackKey,
    Verdict,
)
from workers.bus.base import Partition, Topic
from workers.loop import Arrived, Outgoing, Refused, Stateless
from workers.sighting import ORPHAN_CAUSE, SHED_CAUSE, TrackFacts, make_sighting


def _unexpected(item: Arrived, step: str) -> Refused:
    return Refused(item, f"the step {step!r} does not take {type(item.message).__name__} messages")


DropTally = Callable[[str, int], None]
"""Told a cause and how many crops were dropped for it."""


def _not_counted(cause: str, crops: int) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old a crop of a live camera may be when its turn comes.

    Attributes:
        max_age_s: Older ones are dropped: whoever watches wants to know who is there now.
        clock: Time.
        dropped: Told of each.
    """

    max_age_s: float
    clock: Clock
    dropped: DropTally = _not_counted

    def fresh(self, crop: FaceCrop) -> bool:
        """Whether it is young enough; where nobody knows when it was captured, it is."""
        if crop.captured_at_ns is None:
            return True
        stale = self.clock.now_ns() - crop.captured_at_ns > self.max_age_s * 1e9
        if stale:
            self.dropped(SHED_CAUSE, 1)
        return not stale


class EmbedStep(Stateless):
    """faces -> embeddings: purify and embed crops; ends of tracks pass through in their place.

    Args:
        embedder: Purifier and embedder in one.
        batch_size: Crops embedded at once, from all cameras together.
        freshness: What is shed; ``None`` for nothing, ends of tracks never are.
        log_end: Told of every track that ends.
    """

    name = "embed"
    inputs = (Topic.FACES,)

    def __init__(
        self,
        embedder: FaceEmbedder,
        batch_size: int,
        freshness: Freshness | None = None,
        log_end: Callable[[TrackKey], None] = lambda key: None,
    ) -> None:
        self._embedder, self._freshness, self._log_end = embedder, freshness, log_end
        self.batch_size = batch_size

    def process(self, batch: Sequence[Arrived]) -> Iterator[Outgoing | Refused]:
        yield from self.embed(self.fresh(batch))

    def fresh(self, batch: Sequence[Arrived]) -> list[Arrived]:
        """What is not too old; the rest is dropped, and counted."""
        return [item for item in batch if not self._shed(item)]

    def embed(self, batch: Sequence[Arrived]) -> Iterator[Outgoing | Refused]:
        """What to send for messages that are fresh."""
        crops = [item.message for item in batch if isinstance(item.message, FaceCrop)]
        embeddings = iter(self._embedder.embed([crop.image_rgb for crop in crops]) if crops else ())
        for item in batch:
            match item.message:
                case FaceCrop() as crop:
                    embedded = EmbeddedFace(
                        crop.key,
                        crop.sequence,
                        crop.pts_ns,
                        crop.captured_at_ns,
                        crop.bbox,
                        crop.quality,
                        crop.detector_id,
                        next(embeddings),
                    )
                    yield Outgoing(Topic.EMBEDDINGS, embedded)
                case TrackEnded() as ended:
                    self._log_end(ended.key)
                    yield Outgoing(Topic.EMBEDDINGS, ended)
                case _:
                    yield _unexpected(item, self.name)

    def _shed(self, item: Arrived) -> bool:
        crop, freshness = item.message, self._freshness
        return freshness is not None and isinstance(crop, FaceCrop) and not freshness.fresh(crop)


class Gallery(Protocol):
    """The gallery as a matcher sees it; `refresh` catches up with the database."""

    @property
    def index(self) -> GalleryIndex: ...
    @property
    def thresholds(self) -> Thresholds: ...

    def refresh(self) -> None: ...


class Witness(Protocol):
    """Is shown every decision with what it was made of, before anybody hears of it."""

    def __call__(self, sighting: Sighting, faces: Sequence[EmbeddedFace], gallery: Gallery, /) -> None: ...


def nobody_watches(sighting: Sighting, faces: Sequence[EmbeddedFace], gallery: Gallery) -> None:
    """A witness for whoever keeps no record."""


@dataclass(frozen=True, slots=True)
class Orphans:
    """When a track of a live camera is given up.

    Attributes:
        after_s: Without a word for so long; longer than a camera takes to move to another reader.
        clock: Time.
    """

    after_s: float
    clock: Clock


@dataclass(slots=True)
class _OpenTrack:
    """What a matcher remembers of a track that has not ended."""

    partition: Partition
    first_offset: int
    heard_at_s: float
    faces: dict[int, EmbeddedFace] = field(default_factory=dict)
    last: Verdict | None = None
    revisions: int = 0

    def ordered(self) -> list[EmbeddedFace]:
        return [self.faces[sequence] for sequence in sorted(self.faces)]

    def evidence(self) -> list[WeightedEmbedding]:
        return [WeightedEmbedding(face.embedding, face.quality) for face in self.ordered()]


class MatchStep:
    """embeddings -> sightings: one decision a track, revised as its evidence grows.

    Args:
        gallery: Index and thresholds.
        run_id: Names this run; part of every decision's identity.
        embedder_key: What made the embeddings, for tracks that never had one.
        orphans: When to end tracks whose reader is gone; ``None`` for never.
        dim: Length of an embedding, where known: another one is refused.
        witness: Shown every decision.
        follow: Decide open tracks again when the gallery has changed, without waiting for another crop. Not
            where the same footage is to give the same decisions.
    """

    name = "match"
    inputs = (Topic.EMBEDDINGS,)
    batch_size = 64

    def __init__(
        self,
        gallery: Gallery,
        run_id: str,
        embedder_key: TemplateKey,
        *,
        orphans: Orphans | None = None,
        dim: int | None = None,
        witness: Witness = nobody_watches,
        follow: bool = False,
    ) -> None:
        self._follow, self._matched_epoch = follow, gallery.index.gallery_epoch
        self._gallery, self._orphans, self._dim, self._witness = gallery, orphans, dim, witness
        self._run_id = run_id
        self._embedder_key = embedder_key
        self._open: dict[TrackKey, _OpenTrack] = {}

    def process(self, batch: Sequence[Arrived]) -> Iterator[Outgoing | Refused]:
        self._gallery.refresh()
        if self._follow and self._matched_epoch != self._gallery.index.gallery_epoch:
            self._matched_epoch = self._gallery.index.gallery_epoch
            for track in self._open.values():
                yield from self._revised(track)
        for item in batch:
            match item.message:
                case EmbeddedFace() as face:
                    strange = self._incomparable(face)
                    if strange:
                        yield Refused(item, strange)
                    else:
                        yield from self._on_face(item, face)
                case TrackEnded() as ended:
                    yield self._on_end(ended)
                case _:
                    yield _unexpected(item, self.name)
        yield from self._end_orphans()

    def _incomparable(self, face: EmbeddedFace) -> str | None:
        """Why a face cannot be compared to the gallery."""
        if face.embedding.key != self._embedder_key:
            return (
                f"embedded by {face.embedding.key}, and this matcher compares what {self._embedder_key} "
                "made: run embedders and matchers with the same models"
            )
        if self._dim is not None and len(face.embedding.vector) != self._dim:
            return f"an embedding of {len(face.embedding.vector)} numbers instead of {self._dim}"
        return None

    def _on_face(self, item: Arrived, face: EmbeddedFace) -> Iterator[Outgoing]:
        now_s = self._now_s()
        track = self._open.setdefault(face.key, _OpenTrack(item.partition, item.offset, now_s))
        track.heard_at_s = now_s
        if face.sequence in track.faces:  # delivered again
            return
        track.faces[face.sequence] = face
        yield from self._revised(track)

    def _revised(self, track: _OpenTrack) -> Iterator[Outgoing]:
        """Another decision, if it is another one."""
        verdict = self._decide(track)
        changed = track.last is None or _named(track.last) != _named(verdict)
        track.last = verdict
        if changed:
            facts = TrackFacts.of_open(list(track.faces.values()))
            revision = Revision.UPDATE if track.revisions else Revision.NEW
            yield self._sighting(facts, revision, track.revisions, verdict, track)
            track.revisions += 1

    def _on_end(self, ended: TrackEnded) -> Outgoing:
        track = self._open.pop(ended.key, None)
        verdict = self._decide(track)
        number = track.revisions if track else 0
        facts = TrackFacts.of_ended(ended, received=len(track.faces) if track else 0)
        return self._sighting(facts, Revision.END, number, verdict, track)

    def _now_s(self) -> float:
        return self._orphans.clock.monotonic_s() if self._orphans else 0.0

    def _end_orphans(self) -> Iterator[Outgoing]:
        """Decide tracks of which nothing was heard for long: the reader died, and will not end them."""
        if self._orphans is None:
            return
        since_s = self._now_s() - self._orphans.after_s
        for key in [key for key, track in self._open.items() if track.heard_at_s < since_s]:
            track = self._open.pop(key)
            facts = TrackFacts.of_open(list(track.faces.values()), {ORPHAN_CAUSE: 1})
            yield self._sighting(facts, Revision.END, track.revisions, self._decide(track), track)

    def _decide(self, track: _OpenTrack | None) -> Verdict:
        """On all of a track's evidence; a track of which no crop came has none."""
        evidence = track.evidence() if track else []
        return decide(evidence, self._gallery.index, self._gallery.thresholds)

    def _sighting(
        self,
        facts: TrackFacts,
        revision: Revision,
        number: int,
        verdict: Verdict,
        track: _OpenTrack | None,
    ) -> Outgoing:
        sighting = make_sighting(
            facts,
            verdict,
            run_id=self._run_id,
            revision=revision,
            number=number,
            embedder_key=self._embedder_key,
            gallery_epoch=self._gallery.index.gallery_epoch,
        )
        self._witness(sighting, track.ordered() if track else [], self._gallery)
        return Outgoing(Topic.SIGHTINGS, sighting)

    def forget(self, partitions: Collection[Partition]) -> None:
        """Whoever reads them on rebuilds the evidence from the last commit."""
        self._open = {key: track for key, track in self._open.items() if track.partition not in partitions}

    def committable(self, read: Mapping[Partition, int]) -> Mapping[Partition, int]:
        """Up to the first message of the oldest track still open: its evidence is rebuilt from there."""
        limits = dict(read)
        for track in self._open.values():
            limits[track.partition] = min(limits[track.partition], track.first_offset)
        return limits


def _named(verdict: Verdict) -> tuple[str, str | None]:
    return verdict.outcome, verdict.subject_id


class SightingSink(Protocol):
    """Takes decisions: the database, a file, a screen. Writing one twice changes nothing."""

    def write(self, sightings: Sequence[Sighting], /) -> object:
        """Return when they are kept for good."""
        ...


class RecordStep(Stateless):
    """sightings -> wherever they are kept and shown, one sink after the other."""

    name = "record"
    inputs = (Topic.SIGHTINGS,)
    batch_size = 256

    def __init__(self, sinks: Sequence[SightingSink]) -> None:
        self._sinks = sinks

    def process(self, batch: Sequence[Arrived]) -> Iterable[Outgoing]:
        sightings = [item.message for item in batch if isinstance(item.message, Sighting)]
        for sink in self._sinks:
            sink.write(sightings)
        return ()
