"""A run is kept whole or not at all, and says why it came to nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from gallery.database import Database
from gallery.tables import canary_results
from pipeline.clock import ManualClock
from pipeline.errors import StorageError
from pipeline.robustness.threat import Goal, ThreatModel
from tests.workers.canary.faces import consent, photos
from workers.canary.history import History, Step
from workers.canary.records import Circumstances, Condition, Deciding, Measured, Result, RunState
from workers.canary.runs import RunStore
from workers.canary.store import CanaryStore

CLEAN = Condition(ThreatModel.CORRUPTION, "none", 0.0, "none", True)
DODGE = Condition(ThreatModel.EMBEDDER, "pgd-10x1", 8.0, Goal.DODGE, True)
IMPERSONATE = replace(DODGE, goal=Goal.IMPERSONATE)
OF = Circumstances(
    embedder="toy@1",
    purifier="pin@1",
    align_version="arcface",
    thresholds=Deciding(0.5, 0.1, 0.5, "card", 0.3),
    bare=None,
    gallery_epoch=3,
    distractors=4,
    left_out=0,
    canaries=1,
    templates=1,
    probes=2,
    probed=2,
    canary_set="abc",
    eps_255=8.0,
    adaptive_eps_255=2.0,
    steps=10,
    device="cpu",
    seconds=1.5,
)


def result(photo_id: str, condition: Condition = CLEAN, correct: bool = True) -> Result:
    return Result(photo_id, condition, correct, False, None)


def done(runs: RunStore, *results: Result, of: Circumstances = OF) -> str:
    run = runs.claim("a test", every_s=0, limit_s=60)
    assert run is not None
    runs.finish(run.id, Measured(of, results, [one.photo_id for one in results]))
    return run.id


def kept(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(canary_results)).scalar_one()


def test_what_was_measured_comes_back(runs: RunStore, store: CanaryStore, clock: ManualClock) -> None:
    canary = store.add("Ada", consent(), photos(1))
    probe = canary.photos[1].id
    found = [result(probe), Result(probe, DODGE, False, True, True)]
    run_id = done(runs, *found)
    ((run, results),) = runs.done_since("2020")
    assert (run.id, run.state, run.asked_by, run.circumstances) == (run_id, RunState.DONE, "a test", OF)
    assert results == found
    assert [photo.probed_at is not None for photo in store.get("Ada").photos] == [False, True, False]
    assert runs.last(RunState.DONE) == runs.get(run_id) == run
    assert runs.counts() == {RunState.RUNNING: 0, RunState.DONE: 1, RunState.FAILED: 0}


def test_one_at_a_time_and_not_too_early(runs: RunStore, clock: ManualClock) -> None:
    first = runs.claim("one", every_s=600, limit_s=60)
    assert first is not None
    assert runs.claim("two", every_s=600, limit_s=60) is None
    assert runs.claim("asked for", every_s=0, limit_s=60) is None
    runs.fail(first.id, "it was too hot")
    assert runs.claim("too early", every_s=600, limit_s=60) is None
    run = runs.claim("asked for", every_s=0, limit_s=60)
    assert run is not None
    runs.fail(run.id, "again")
    clock.advance(601)
    assert runs.claim("in time", every_s=600, limit_s=60) is not None
    assert runs.get(first.id).reason == "it was too hot"


def test_what_ended_without_a_word_is_given_up(
    runs: RunStore, database: Database, clock: ManualClock
) -> None:
    lost = runs.claim("one", every_s=0, limit_s=60)
    assert lost is not None
    clock.advance(61)
    assert runs.claim("two", every_s=0, limit_s=60) is not None
    ended = runs.get(lost.id)
    assert (ended.state, ended.circumstances) == (RunState.FAILED, None)
    assert "without a word" in ended.reason
    with pytest.raises(StorageError, match="was given up meanwhile"):
        runs.finish(lost.id, Measured(OF, [result("p")], ["p"]))
    assert kept(database) == 0


def test_a_run_that_is_cut_off_leaves_nothing_half(runs: RunStore, database: Database) -> None:
    """The last of its results cannot be written: the first ones are not there either."""
    run = runs.claim("one", every_s=0, limit_s=60)
    assert run is not None
    broken = Result("p2", CLEAN, None, False, None)  # type: ignore[arg-type]
    with pytest.raises(Exception, match=r"NOT NULL|not-null"):
        runs.finish(run.id, Measured(OF, [result("p1"), broken], ["p1"]))
    assert kept(database) == 0
    assert runs.get(run.id).state is RunState.RUNNING
    runs.fail(run.id, "the disk said no")
    assert (runs.get(run.id).state, runs.get(run.id).reason) == (RunState.FAILED, "the disk said no")


def test_what_is_done_stays_done(runs: RunStore) -> None:
    run_id = done(runs, result("p"))
    runs.fail(run_id, "too late")
    assert runs.get(run_id).state is RunState.DONE


def test_old_results_are_forgotten_but_not_that_there_was_a_run(
    runs: RunStore, database: Database, clock: ManualClock
) -> None:
    old = done(runs, result("p"), result("q"))
    clock.advance(48 * 3600)
    done(runs, result("p"))
    runs.prune(runs.get(old).started_at)
    assert kept(database) == 3
    runs.prune("2023-11-15")
    assert kept(database) == 1
    assert runs.counts()[RunState.DONE] == 2


def test_history_by_run_and_by_day(runs: RunStore, database: Database, clock: ManualClock) -> None:
    done(runs, result("p"), result("q", correct=False), result("p", DODGE), result("p", IMPERSONATE, False))
    clock.advance(1800)
    done(runs, result("p"), result("q"), of=replace(OF, gallery_epoch=4))
    clock.advance(24 * 3600)
    done(runs, result("p"), of=replace(OF, thresholds=replace(OF.thresholds, match=0.6), canary_set="d"))
    history = History(database)
    by_run = history.points("2020", Step.RUN)
    assert [(point.threat_model, point.value, point.n) for point in by_run] == [
        (ThreatModel.CORRUPTION, 0.5, 2),
        (ThreatModel.EMBEDDER, 0.5, 2),
        (ThreatModel.CORRUPTION, 1.0, 2),
        (ThreatModel.CORRUPTION, 1.0, 1),
    ]
    by_day = history.points("2020", Step.DAY)
    assert [(point.at, point.value, point.n) for point in by_day if point.threat_model == "T0"] == [
        ("2023-11-14", 0.75, 2),  # four trials, but of two faces
        ("2023-11-15", 1.0, 1),
    ]
    assert all(point.low <= point.value <= point.high for point in by_day)
    assert [mark.what for mark in history.marks("2020", Step.RUN)] == [
        ("gallery",),
        ("thresholds", "gallery", "canaries"),
    ]
    assert [mark.at for mark in history.marks("2020", Step.DAY)] == ["2023-11-14", "2023-11-15"]
    assert history.points("2024", Step.DAY) == []
