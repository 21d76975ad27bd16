"""Everything that the ledger holds of one decision, opened for whoever has to explain it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from audit.crops import CropStore
from audit.decisions import DecisionEntry, DecisionRecord
from audit.ledger.entries import Kind
from audit.ledger.folder import LedgerFolder
from audit.ledger.keys import KeyRing
from audit.ledger.reader import Record, records
from pipeline.errors import Erased, UsageError
from pipeline.types import FaceCrop

MIN_PREFIX = 6


@dataclass(frozen=True, slots=True)
class Case:
    """One decision.

    Attributes:
        record: Where the ledger tells of it.
        entry: What everybody may read.
        content: What is sealed; ``None`` where it was erased.
        crops: The crops it was made on, as far as they are there.
        session: The process that decided: program, settings, models, fingerprint.
        repeats: How often the same decision was recorded again after a crash.
    """

    record: Record
    entry: DecisionEntry
    content: DecisionRecord | None
    crops: Sequence[FaceCrop]
    session: Mapping[str, Any]
    repeats: int

    def as_json(self) -> dict[str, Any]:
        """Without the pictures."""
        content = None if self.content is None else msgspec.to_builtins(self.content, builtin_types=(bytes,))
        if content is not None:
            content.pop("salt")
            for crop in content["evidence"]:
                crop.pop("vector")
        return {
            "decision_id": self.entry.decision_id,
            "chain": self.record.chain,
            "record": self.record.number,
            "recorded_at_ns": self.record.entry.at_ns,
            "gallery_epoch": self.entry.gallery_epoch,
            "fingerprint": self.entry.fingerprint,
            "erased": self.content is None,
            "content": content,
            "crops": [crop.sequence for crop in self.crops],
            "session": dict(self.session),
            "recorded_again": self.repeats,
        }


def open_case(folder: LedgerFolder, keys: KeyRing, crops: CropStore, decision: str) -> Case:
    """The decision whose id begins so.

    Raises:
        UsageError: none does, or several do.
        LedgerCorrupt: the ledger is broken.
    """
    if len(decision) < MIN_PREFIX:
        raise UsageError(f"{decision!r}: give at least {MIN_PREFIX} characters of a decision's id")
    sessions: dict[str, Mapping[str, Any]] = {}
    found: dict[str, list[tuple[Record, DecisionEntry]]] = {}
    for record in records(folder, {Kind.SESSION, Kind.DECISION}):
        if record.entry.kind == Kind.SESSION:
            sessions[record.chain] = record.entry.fields
        elif str(record.entry.fields.get("decision_id", "")).startswith(decision):
            entry = DecisionEntry.of(record.entry)
            found.setdefault(entry.decision_id, []).append((record, entry))
    if len(found) != 1:
        raise UsageError(f"{len(found)} decisions in the ledger have an id that begins {decision!r}")
    ((record, entry), *again) = next(iter(found.values()))
    content, kept = _opened(entry, keys, crops)
    return Case(record, entry, content, kept, sessions.get(record.chain, {}), len(again))


def _opened(
    entry: DecisionEntry, keys: KeyRing, crops: CropStore
) -> tuple[DecisionRecord | None, Sequence[FaceCrop]]:
    try:
        content = entry.unseal(keys)
        compared = {crop.sequence for crop in content.evidence}
        kept = crops.read(entry.run_id, content.key)
    except Erased:
        return None, ()
    return content, [crop for crop in kept if crop.sequence in compared]
