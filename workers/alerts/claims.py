"""Which rules a decision is an alert for, and whose."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from pipeline.types import Outcome, Revision, Sighting
from workers.alerts.rules import OF_PEOPLE, Kind, Rule

OnList = Callable[[str, str, int], bool]
"""Whether a list (by id) has a subject as of a gallery epoch."""

GroupOf = Callable[[Sighting], str | None]
"""The group of unknown people that a track was put in, where it was."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A rule asks for this.

    Attributes:
        rule: Which.
        claim: As what: a subject's id, or the rule's kind.
        who: Whose visits are one alert.
        subject_id: Who it is about, if anybody.
    """

    rule: Rule
    claim: str
    who: str
    subject_id: str | None


def digest(*parts: object) -> str:
    """32 hex digits that the same parts always give."""
    text = "\x1f".join(map(str, parts))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def track_of(sighting: Sighting) -> str:
    """The track that a decision is about."""
    return digest(sighting.run_id, sighting.camera_id, sighting.stream_epoch, sighting.track_id)


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked of decisions.

    Attributes:
        rules: Those that hold.
        on_list: Who is on which list.
        group_of: Which unknown people are one.
        zone: Of the clocks that schedules go by.
    """

    rules: Sequence[Rule]
    on_list: OnList
    group_of: GroupOf
    zone: tzinfo

    def claims(self, sighting: Sighting, first: datetime, last: datetime) -> Iterator[Claim]:
        """What rules ask for and this is, seen from `first` to `last`."""
        for rule in self.rules:
            claim = self._claim(rule, sighting)
            if claim is not None and rule.schedule.holds(first, last, self.zone):
                yield claim

    def _claim(self, rule: Rule, sighting: Sighting) -> Claim | None:
        if not rule.covers(sighting.camera_id):
            return None
        kind, outcome = rule.when.kind, sighting.outcome
        if kind in OF_PEOPLE:
            return self._of_person(rule, sighting)
        if kind is Kind.ATTACK and outcome is Outcome.SUSPECTED_ATTACK:
            candidate = sighting.candidate_id
            who = f"track:{track_of(sighting)}" if candidate is None else f"subject:{candidate}"
            return Claim(rule, candidate or str(kind), who, candidate)
        if kind is Kind.UNKNOWN and outcome is Outcome.UNKNOWN:
            return Claim(rule, str(kind), self._unknown(sighting), None)
        ended = sighting.revision is Revision.END
        if kind is Kind.LOW_QUALITY and outcome is Outcome.LOW_QUALITY and ended:
            return Claim(rule, str(kind), f"track:{track_of(sighting)}", None)
        return None

    def _of_person(self, rule: Rule, sighting: Sighting) -> Claim | None:
        subject_id = sighting.subject_id
        if sighting.outcome is Outcome.SUSPECTED_ATTACK:
            subject_id = sighting.candidate_id
        if subject_id is None or not self._asks_for(rule, subject_id, sighting.gallery_epoch):
            return None
        return Claim(rule, subject_id, f"subject:{subject_id}", subject_id)

    def _asks_for(self, rule: Rule, subject_id: str, epoch: int) -> bool:
        when = rule.when
        if when.list_id is not None:
            return self.on_list(when.list_id, subject_id, epoch)
        return when.subject_id in (None, subject_id)

    def _unknown(self, sighting: Sighting) -> str:
        """A track is grouped when it has ended; until then it is somebody of its own."""
        group = self.group_of(sighting) if sighting.revision is Revision.END else None
        return f"track:{track_of(sighting)}" if group is None else f"group:{group}"
