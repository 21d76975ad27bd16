"""What people say of decisions: right, wrong, or impossible to tell."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, Select, func, insert, select

from audit.sightings import decode
from gallery.database import Database
from gallery.tables import sightings, verdicts
from gallery.times import utc_text_from_ns
from pipeline.errors import UsageError
from pipeline.types import Sighting, TemplateKey

_PERSON_LENGTH = 200


class Opinion(enum.StrEnum):
    """Whether the face is that of the decision's candidate."""

    CONFIRM = "confirm"
    NOT_THIS_PERSON = "not_this_person"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class GivenVerdict:
    """What a person said of a decision.

    Attributes:
        id: Rises with every verdict.
        decision_id: Of what.
        person: By whom.
        opinion: What.
        note: Why, in free text; may be empty.
        given_at: ISO 8601 UTC.
    """

    id: int
    decision_id: str
    person: str
    opinion: Opinion
    note: str
    given_at: str


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """A track, the subject that it was compared with, and how similar they were."""

    decision_id: str
    candidate_id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class JudgedPairs:
    """Comparisons whose truth people told.

    Attributes:
        genuine: Of one person, confirmed.
        impostor: Of two people, rejected.
        disputed: How many were left out because people contradict each other.
    """

    genuine: tuple[JudgedPair, ...]
    impostor: tuple[JudgedPair, ...]
    disputed: int


class VerdictStore:
    """Keeps verdicts. None is ever changed: who thinks otherwise says so, and the last word counts.

    Args:
        database: Where they are kept.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
    """

    def __init__(self, database: Database, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._database = database
        self._now_ns = now_ns

    def add(self, decision_id: str, person: str, opinion: Opinion, note: str = "") -> GivenVerdict:
        """Note what a person says; durable when this returns.

        Raises:
            UsageError: there is no such decision, it has no candidate to be right or wrong about, or nobody
                says it.
        """
        who = person.strip()
        if not 0 < len(who) <= _PERSON_LENGTH:
            raise UsageError(
                f"a verdict needs the name of who gives it, of at most {_PERSON_LENGTH} characters"
            )
        row = {"decision_id": decision_id, "person": who, "opinion": opinion, "note": note.strip()}
        with self._database.write() as connection:
            _check_decision(connection, decision_id)
            now = utc_text_from_ns(self._now_ns())
            added = insert(verdicts).values(**row, given_at=now).returning(verdicts)
            return _verdict(connection.execute(added).mappings().one())

    def for_decision(self, decision_id: str) -> list[GivenVerdict]:
        """Everything that was said of a decision, in the order in which it was."""
        query = select(verdicts).where(verdicts.c.decision_id == decision_id).order_by(verdicts.c.id)
        return self._found(query)

    def latest(self, decision_ids: Collection[str] | None = None) -> list[GivenVerdict]:
        """The last word of each person on each decision, or on these, in the order in which they came."""
        query = _last_words()
        if decision_ids is not None:
            query = query.where(verdicts.c.decision_id.in_(sorted(set(decision_ids))))
        return self._found(query)

    def counts(self) -> Mapping[Opinion, int]:
        """How many last words say what."""
        with self._database.read() as connection:
            last = _last_words().subquery()
            rows = connection.execute(select(last.c.opinion, func.count()).group_by(last.c.opinion)).all()
        found = {row[0]: int(row[1]) for row in rows}
        return {opinion: found.get(opinion, 0) for opinion in Opinion}

    def pairs_for_calibration(self, key: TemplateKey) -> JudgedPairs:
        """Similarities whose truth is known, as a calibration can use them; "unsure" says nothing.

        Each track counts once a candidate, by the last of its decisions that was judged. The impostors are
        the *nearest* subjects of their tracks, and were looked at because they were near: they say
        what a threshold lets through here, not the rate of false matches of any two people.

        Args:
            key: What made the embeddings that were compared.
        """
        pairs: dict[tuple[object, ...], tuple[JudgedPair, set[Opinion]]] = {}
        for sighting, said in sorted(self.judged(), key=lambda item: item[0].revision_number):
            pair = _pair(sighting, key)
            opinions = {verdict.opinion for verdict in said} - {Opinion.UNSURE}
            if pair is not None and opinions:
                pairs[(*_track(sighting), pair.candidate_id)] = (pair, opinions)
        found: dict[Opinion, list[JudgedPair]] = {opinion: [] for opinion in Opinion}
        for pair, opinions in pairs.values():
            if len(opinions) == 1:
                found[next(iter(opinions))].append(pair)
        genuine, impostor = found[Opinion.CONFIRM], found[Opinion.NOT_THIS_PERSON]
        disputed = len(pairs) - len(genuine) - len(impostor)
        return JudgedPairs(tuple(genuine), tuple(impostor), disputed)

    def judged(self) -> list[tuple[Sighting, list[GivenVerdict]]]:
        """Every decision that was judged and is still kept, with the last word of each person."""
        query = _last_words().join(sightings, sightings.c.decision_id == verdicts.c.decision_id)
        found: dict[str, tuple[Sighting, list[GivenVerdict]]] = {}
        with self._database.read() as connection:
            for row in connection.execute(query.add_columns(sightings.c.record)).mappings():
                said = _verdict(row)
                found.setdefault(said.decision_id, (decode(row["record"]), []))[1].append(said)
        return list(found.values())

    def _found(self, query: Select[*tuple[object, ...]]) -> list[GivenVerdict]:
        with self._database.read() as connection:
            return [_verdict(row) for row in connection.execute(query).mappings()]


def _track(sighting: Sighting) -> tuple[str, str, int, int]:
    return sighting.run_id, sighting.camera_id, sighting.stream_epoch, sighting.track_id


def _pair(sighting: Sighting, key: TemplateKey) -> JudgedPair | None:
    """What was compared, if it was with `key`."""
    made_by = TemplateKey(sighting.embedder, sighting.purifier, sighting.align_version)
    if made_by != key or sighting.candidate_id is None or sighting.similarity is None:
        return None
    return JudgedPair(sighting.decision_id, sighting.candidate_id, sighting.similarity)


def _last_words() -> Select[*tuple[object, ...]]:
    last = select(func.max(verdicts.c.id)).group_by(verdicts.c.decision_id, verdicts.c.person)
    return select(verdicts).where(verdicts.c.id.in_(last)).order_by(verdicts.c.id)


def _check_decision(connection: Connection, decision_id: str) -> None:
    query = select(sightings.c.candidate_id).where(sightings.c.decision_id == decision_id)
    row = connection.execute(query).first()
    if row is None:
        raise UsageError(f"there is no decision {decision_id!r} to give a verdict on")
    if row.candidate_id is None:
        raise UsageError(
            f"the decision {decision_id} has no candidate: there is nobody to confirm or to deny"
        )


def _verdict(row: RowMapping) -> GivenVerdict:
    return GivenVerdict(
        id=row["id"],
        decision_id=row["decision_id"],
        person=row["person"],
        opinion=Opinion(row["opinion"]),
        note=row["note"],
        given_at=row["given_at"],
    )
