"""Derives recorded decisions again from the crops that were kept, and says which come out otherwise."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from audit.crops import CropStore
from audit.decisions import DecisionEntry, DecisionRecord
from audit.ledger.entries import Kind
from audit.ledger.folder import LedgerFolder
from audit.ledger.keys import KeyRing
from audit.ledger.reader import records
from pipeline.decide import WeightedEmbedding, decide
from pipeline.errors import Erased
from pipeline.seams import FaceEmbedder, GalleryIndex
from pipeline.types import FaceCrop, Sighting, Thresholds, Verdict

TOLERANCE = 1e-4
"""How far a similarity may be off where the numbers of the machine are others."""

VERDICT_FIELDS = (
    "outcome",
    "subject_id",
    "candidate_id",
    "similarity",
    "runner_up",
    "margin",
    "threshold",
    "threshold_origin",
    "votes",
    "attack_evidence",
    "reason",
)
"""What a :class:`Sighting` has from its :class:`Verdict`."""


class Result(enum.StrEnum):
    """What became of one decision."""

    IDENTICAL = "identical"
    """The same bytes."""
    WITHIN_TOLERANCE = "within tolerance"
    """Another machine's numbers: the same outcome, similarities within :data:`TOLERANCE`."""
    DIFFERS = "differs"
    ERASED = "erased"
    """It, or somebody it was compared with, was erased."""
    NO_CROPS = "crops missing"
    """Not all crops it was made on are there: none were kept, or they were lost."""
    OTHER_MODELS = "other models"
    """Made with models that are not the ones in use now."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What to decide otherwise than it was: a counterfactual replay. ``None`` leaves it as it was.

    Attributes:
        match: The threshold on similarity; also for subjects that a watch list gives one of their own.
        margin: The lead over the next subject.
        votes: The share of crops that must agree.
        evidence: The threshold on attack evidence.
        gallery_epoch: The gallery as of another epoch.
    """

    match: float | None = None
    margin: float | None = None
    votes: float | None = None
    evidence: float | None = None
    gallery_epoch: int | None = None

    @property
    def any(self) -> bool:
        return self != Changes()

    def of(self, thresholds: Thresholds) -> Thresholds:
        """Recorded thresholds with these changes."""
        numbers = {"match": self.match, "margin": self.margin, "votes": self.votes, "evidence": self.evidence}
        changed = {name: value for name, value in numbers.items() if value is not None}
        if not changed:
            return thresholds
        overrides: Mapping[str, float] = {} if self.match is not None else thresholds.by_subject
        return replace(thresholds, **changed, by_subject=overrides, origin="replay")


@dataclass(frozen=True, slots=True)
class Replayed:
    """One decision, derived again.

    Attributes:
        decision_id: Of the decision.
        result: What became of it.
        recorded: As it was; ``None`` where it cannot be read any more.
        derived: As it came out; ``None`` where it could not be derived.
        differences: What is not the same, by field: recorded and derived value.
    """

    decision_id: str
    result: Result
    recorded: Sighting | None = None
    derived: Sighting | None = None
    differences: Mapping[str, tuple[object, object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which decisions.

    Attributes:
        run_id: Of this run; ``None`` for any, as the next ones.
        camera_id: Of this camera.
        decision_ids: These alone; empty for any.
        final: A track's last word alone.
    """

    run_id: str | None = None
    camera_id: str | None = None
    decision_ids: frozenset[str] = frozenset()
    final: bool = True

    def has(self, entry: DecisionEntry) -> bool:
        return (
            self.run_id in (None, entry.run_id)
            and self.camera_id in (None, entry.camera_id)
            and (not self.decision_ids or entry.decision_id in self.decision_ids)
            and (not self.final or entry.revision == "end" or bool(self.decision_ids))
        )


def recorded_decisions(folder: LedgerFolder, wanted: Wanted) -> Iterator[DecisionEntry]:
    """Decisions in the ledger, each once: what was recorded first counts.

    Raises:
        LedgerCorrupt: the ledger is broken.
    """
    seen: set[str] = set()
    for record in records(folder, {Kind.DECISION}):
        entry = DecisionEntry.of(record.entry)
        if wanted.has(entry) and entry.decision_id not in seen:
            seen.add(entry.decision_id)
            yield entry


class Replay:
    """Derives decisions again.

    Args:
        keys: Open what is sealed.
        crops: The kept crops.
        embedder: Purifier and embedder in use now.
        gallery: The gallery as of an epoch.
        fingerprint: Of this process, see ``audit.fingerprint``.
        erased: Ids of subjects that were erased.
        thresholds: Those of an epoch, where `embedder` is another one than decided, and `gallery` was made
            with it; ``None`` takes the recorded ones, and leaves decisions of other models alone.
    """

    def __init__(
        self,
        keys: KeyRing,
        crops: CropStore,
        embedder: FaceEmbedder,
        gallery: Callable[[int], GalleryIndex],
        *,
        fingerprint: str,
        erased: Collection[str] = (),
        thresholds: Callable[[int], Thresholds] | None = None,
    ) -> None:
        self._keys, self._crops, self._embedder, self._gallery = keys, crops, embedder, gallery
        self._fingerprint, self._erased, self._thresholds = fingerprint, frozenset(erased), thresholds

    def run(self, entries: Iterable[DecisionEntry], changes: Changes) -> Iterator[Replayed]:
        """Derive each of `entries`, in their order.

        Raises:
            LedgerCorrupt: a record or a crop is not what was written.
            UsageError: there is no gallery of the epoch that `changes` ask for.
        """
        for entry in entries:
            try:
                yield self._one(entry, entry.unseal(self._keys), changes)
            except Erased:
                yield Replayed(entry.decision_id, Result.ERASED)

    def _one(self, entry: DecisionEntry, record: DecisionRecord, changes: Changes) -> Replayed:
        recorded = record.sighting
        if self._erased & {subject_id for subject_id, _ in record.neighbours}:
            return Replayed(entry.decision_id, Result.ERASED, recorded)
        if self._thresholds is None and record.template_key != self._embedder.key:
            return Replayed(entry.decision_id, Result.OTHER_MODELS, recorded)
        crops = self._crops_of(record)
        if crops is None:
            return Replayed(entry.decision_id, Result.NO_CROPS, recorded)
        epoch = recorded.gallery_epoch if changes.gallery_epoch is None else changes.gallery_epoch
        thresholds = record.thresholds if self._thresholds is None else self._thresholds(epoch)
        verdict = decide(embedded(crops, self._embedder), self._gallery(epoch), changes.of(thresholds))
        key = self._embedder.key
        derived = replace(
            with_verdict(recorded, verdict, epoch), embedder=key.model_id, purifier=key.purifier_id
        )
        return self._compared(entry, recorded, derived)

    def _crops_of(self, record: DecisionRecord) -> list[FaceCrop] | None:
        """Those that the decision was made on; ``None`` if one is missing."""
        kept = {crop.sequence: crop for crop in self._crops.read(record.sighting.run_id, record.key)}
        wanted = [crop.sequence for crop in record.evidence]
        if not kept.keys() >= set(wanted):
            return None
        return [kept[sequence] for sequence in wanted]

    def _compared(self, entry: DecisionEntry, recorded: Sighting, derived: Sighting) -> Replayed:
        differences = differences_of(recorded, derived)
        if not differences:
            result = Result.IDENTICAL
        elif entry.fingerprint != self._fingerprint and _tolerable(recorded, derived):
            result = Result.WITHIN_TOLERANCE
        else:
            result = Result.DIFFERS
        return Replayed(entry.decision_id, result, recorded, derived, differences)


def embedded(crops: Sequence[FaceCrop], embedder: FaceEmbedder) -> list[WeightedEmbedding]:
    """Crops as a decision takes them."""
    embeddings = embedder.embed([crop.image_rgb for crop in crops]) if crops else []
    pairs = zip(embeddings, crops, strict=True)
    return [WeightedEmbedding(embedding, crop.quality) for embedding, crop in pairs]


def with_verdict(sighting: Sighting, verdict: Verdict, gallery_epoch: int) -> Sighting:
    """The same track, decided otherwise."""
    decided = {name: getattr(verdict, name) for name in VERDICT_FIELDS}
    return replace(sighting, **decided, gallery_epoch=gallery_epoch)


def differences_of(recorded: Sighting, derived: Sighting) -> dict[str, tuple[object, object]]:
    """By field; none where the two are the same bytes."""
    before, after = msgspec.to_builtins(recorded), msgspec.to_builtins(derived)
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}


def _tolerable(recorded: Sighting, derived: Sighting) -> bool:
    same = (recorded.outcome, recorded.subject_id, recorded.candidate_id) == (
        derived.outcome,
        derived.subject_id,
        derived.candidate_id,
    )
    pairs = (
        (recorded.similarity, derived.similarity),
        (recorded.runner_up, derived.runner_up),
        (recorded.attack_evidence, derived.attack_evidence),
    )
    return same and all(_near(before, after) for before, after in pairs)


def _near(before: float | None, after: float | None) -> bool:
    if before is None or after is None:
        return before is after
    return abs(before - after) <= TOLERANCE
