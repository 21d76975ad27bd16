"""What people say of decisions: kept whole, the last word counts."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from sqlalchemy import select

from audit.sightings import SightingStore
from audit.verdicts import JudgedPair, Opinion, VerdictStore
from gallery.database import Database
from gallery.tables import verdicts
from pipeline.errors import UsageError
from pipeline.types import Outcome, Revision, Sighting, TemplateKey
from tests.audit.test_sightings import EXAMPLE

KEY = TemplateKey("model@1", "none")
CONFIRM, NOT_THIS, UNSURE = Opinion.CONFIRM, Opinion.NOT_THIS_PERSON, Opinion.UNSURE


def decided(number: int, similarity: float = 0.5, **changes: object) -> Sighting:
    return replace(
        EXAMPLE,
        decision_id=f"d{number}",
        track_id=number,
        similarity=similarity,
        **changes,  # type: ignore[arg-type]
    )


def store_with(database: Database, *sightings: Sighting) -> VerdictStore:
    SightingStore(database).write(sightings)
    seconds = itertools.count(1_740_787_200)
    return VerdictStore(database, now_ns=lambda: next(seconds) * 1_000_000_000)


def test_a_verdict_comes_back_as_it_was_given(database: Database) -> None:
    store = store_with(database, decided(1))
    given = store.add("d1", " Ada ", CONFIRM, " her gait as well ")
    assert (given.decision_id, given.person, given.opinion) == ("d1", "Ada", CONFIRM)
    assert (given.note, given.given_at) == ("her gait as well", "2025-03-01T00:00:00.000000Z")
    assert store.for_decision("d1") == [given]
    assert store.for_decision("d2") == []


def test_the_last_word_of_each_person_counts_and_the_others_stay(database: Database) -> None:
    store = store_with(database, decided(1), decided(2))
    first = store.add("d1", "Ada", CONFIRM)
    other = store.add("d1", "Bo", UNSURE)
    second = store.add("d1", "Ada", NOT_THIS, "seen from nearer")
    third = store.add("d2", "Ada", CONFIRM)
    assert store.for_decision("d1") == [first, other, second]
    assert store.latest() == [other, second, third]
    assert store.latest(["d1"]) == [other, second]
    assert store.latest([]) == []
    assert store.counts() == {CONFIRM: 1, NOT_THIS: 1, UNSURE: 1}
    with database.read() as connection:
        assert len(connection.execute(select(verdicts)).all()) == 4


def test_nothing_was_said_yet(database: Database) -> None:
    store = store_with(database, decided(1))
    assert store.counts() == {CONFIRM: 0, NOT_THIS: 0, UNSURE: 0}
    assert store.judged() == []
    pairs = store.pairs_for_calibration(KEY)
    assert (pairs.genuine, pairs.impostor, pairs.disputed) == ((), (), 0)


def test_there_must_be_something_to_judge_and_somebody_who_does(database: Database) -> None:
    nobody = decided(2, outcome=Outcome.UNKNOWN, subject_id=None, candidate_id=None)
    store = store_with(database, decided(1), nobody)
    with pytest.raises(UsageError, match="no decision 'd9'"):
        store.add("d9", "Ada", CONFIRM)
    with pytest.raises(UsageError, match="d2 has no candidate"):
        store.add("d2", "Ada", NOT_THIS)
    for person in ("  ", "x" * 201):
        with pytest.raises(UsageError, match="name of who gives it"):
            store.add("d1", person, CONFIRM)
    assert store.latest() == []


def test_judged_similarities_are_told_apart(database: Database) -> None:
    unnamed = {"outcome": Outcome.UNKNOWN, "subject_id": None}
    store = store_with(
        database,
        decided(1, 0.7),
        decided(2, 0.6, candidate_id="s2"),
        decided(3, 0.4, **unnamed),
        decided(4, 0.5),
        decided(5, 0.3),
        decided(6, 0.8, embedder="model@2"),
    )
    store.add("d1", "Ada", CONFIRM)
    store.add("d2", "Ada", NOT_THIS)
    store.add("d3", "Ada", NOT_THIS)
    store.add("d3", "Ada", CONFIRM)
    store.add("d3", "Bo", UNSURE)
    store.add("d4", "Ada", CONFIRM)
    store.add("d4", "Bo", NOT_THIS)
    store.add("d5", "Ada", UNSURE)
    store.add("d6", "Ada", CONFIRM)
    pairs = store.pairs_for_calibration(KEY)
    assert set(pairs.genuine) == {JudgedPair("d1", "s1", 0.7), JudgedPair("d3", "s1", 0.4)}
    assert pairs.impostor == (JudgedPair("d2", "s2", 0.6),)
    assert pairs.disputed == 1
    other = store.pairs_for_calibration(TemplateKey("model@2", "none"))
    assert other.genuine == (JudgedPair("d6", "s1", 0.8),)


def test_a_track_counts_once_by_its_last_judged_decision(database: Database) -> None:
    first = replace(EXAMPLE, decision_id="n", revision=Revision.NEW, revision_number=0, similarity=0.5)
    later = replace(first, decision_id="u", revision=Revision.UPDATE, revision_number=1, similarity=0.6)
    last = replace(EXAMPLE, decision_id="e", revision_number=2, similarity=0.65)
    other = replace(later, decision_id="o", run_id="another", similarity=0.55)
    store = store_with(database, first, later, last, other)
    for decision in ("u", "n", "o"):
        store.add(decision, "Ada", CONFIRM)
    genuine = store.pairs_for_calibration(KEY).genuine
    assert {(pair.decision_id, pair.similarity) for pair in genuine} == {("u", 0.6), ("o", 0.55)}
