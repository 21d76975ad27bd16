"""Verdicts on decisions: right, wrong, and who it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from audit.ledger.entries import Kind
from audit.verdicts import GivenVerdict, Opinion, VerdictStore
from gallery.store import GalleryStore
from pipeline.types import Sighting
from workers.console.access.principal import Principal
from workers.console.access.record import RecordAccess
from workers.console.sightings.notes import clean_note
from workers.console.sightings.visible import VisibleSightings
from workers.names import subject_ids

_WAS = "was:"
"""A note that begins so names by their id whom somebody says it was: names change, and can be erased."""


@dataclass(frozen=True, slots=True)
class VerdictShown:
    """A verdict for people.

    Attributes:
        opinion: ``confirm``, ``not_this_person`` or ``unsure``.
        person: Who said so.
        given_at: ISO 8601 UTC.
        note: Why.
        subject_id: Who it was instead, if that was said.
        name: Their name; ``None`` where they were erased.
    """

    opinion: Opinion
    person: str
    given_at: str
    note: str
    subject_id: str | None
    name: str | None


class Judging:
    """What people say of decisions.

    Args:
        sightings: Decisions that the user may see.
        store: Keeps verdicts.
        gallery: Names people.
        record: Told who looked.
        append: Puts a verdict into the ledger; ``None`` where there is none.
    """

    def __init__(
        self,
        sightings: VisibleSightings,
        store: VerdictStore,
        gallery: GalleryStore,
        record: RecordAccess,
        append: Callable[[Kind, Mapping[str, Any]], None] | None,
    ) -> None:
        self._sightings, self._store, self._gallery = sightings, store, gallery
        self._record, self._append = record, append

    def said(self, principal: Principal, decision_id: str) -> list[VerdictShown]:
        """Everything that was said of a decision, in order. Raises ``HTTPException`` 404."""
        sighting = self._sightings.get(principal, decision_id)
        given = self._store.for_decision(decision_id)
        meant = {_meant(one) for one in given} - {None}
        mentioned = {subject_id for subject_id in meant if subject_id is not None}
        self._record(
            principal.who, f"verdicts on decision {decision_id} shown", mentioned | subject_ids([sighting])
        )
        names = self._gallery.names(mentioned)
        return [_shown(one, names) for one in given]

    def judge(
        self, principal: Principal, decision_id: str, opinion: Opinion, note: str = "", was: str = ""
    ) -> GivenVerdict:
        """Note what the user says.

        Args:
            principal: Who says it.
            decision_id: Of which decision.
            opinion: What.
            note: Why.
            was: Who it was, by name or id; overrides `opinion`.

        Raises:
            HTTPException: 404, there is no such decision.
            UsageError: the decision has no candidate to be right or wrong about.
            SubjectNotFound: nobody is enrolled as `was`.
        """
        sighting = self._sightings.get(principal, decision_id)
        note = clean_note(note)
        meant = self._gallery.subject(was.strip()).id if was.strip() else None
        if meant is not None:
            opinion, note = _of_person(sighting, meant, note)
        elif note.startswith(_WAS):
            note = f"“{note}”"  # typed, not chosen
        self._record(
            principal.who, f"verdict on decision {decision_id}: {opinion}", _mentioned(sighting, meant)
        )
        given = self._store.add(decision_id, principal.who.by, opinion, note)
        if self._append is not None:
            self._append(Kind.VERDICT, msgspec.to_builtins(given))
        return given


def _of_person(sighting: Sighting, subject_id: str, note: str) -> tuple[Opinion, str]:
    if subject_id == sighting.candidate_id:
        return Opinion.CONFIRM, note
    return Opinion.NOT_THIS_PERSON, f"{_WAS}{subject_id} {note}".rstrip()


def _mentioned(sighting: Sighting, meant: str | None) -> set[str]:
    return subject_ids([sighting]) | ({meant} if meant is not None else set())


def _meant(given: GivenVerdict) -> str | None:
    if not given.note.startswith(_WAS):
        return None
    return given.note.removeprefix(_WAS).partition(" ")[0] or None


def _shown(given: GivenVerdict, names: Mapping[str, str]) -> VerdictShown:
    subject_id = _meant(given)
    note = given.note if subject_id is None else given.note.partition(" ")[2]
    name = None if subject_id is None else names.get(subject_id)
    return VerdictShown(given.opinion, given.person, given.given_at, note, subject_id, name)
