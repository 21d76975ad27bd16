"""What was measured, and what came to nothing: a run's results are written with its end, or not at all."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update

from gallery.database import Database
from gallery.tables import canary_photos, canary_results, canary_runs
from gallery.times import utc_text_from_ns
from pipeline.errors import StorageError
from pipeline.robustness.threat import ThreatModel
from workers.canary.alone import alone
from workers.canary.records import Circumstances, Condition, Measured, Result, Run, RunState

_S = 1_000_000_000


class RunStore:
    """Runs and their results.

    Args:
        database: Where.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
    """

    def __init__(self, database: Database, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._database, self._now_ns = database, now_ns

    def claim(self, asked_by: str, *, every_s: float, limit_s: float) -> Run | None:
        """Begin a run, unless it is too early for one: several processes may ask.

        Args:
            asked_by: Who wants it.
            every_s: No run may have begun within so long; 0 asks for one in any case.
            limit_s: What runs for longer has ended without saying so, and is no more in the way.
        """
        now_ns = self._now_ns()
        early = canary_runs.c.started_at > utc_text_from_ns(now_ns - int(every_s * _S))
        with self._database.write() as connection:
            alone(connection, canary_runs)
            self._abandon(connection, now_ns, limit_s)
            running = canary_runs.c.state == RunState.RUNNING
            in_the_way = running if every_s == 0 else running | early
            if connection.execute(select(canary_runs.c.run_id).where(in_the_way)).first() is not None:
                return None
            run = Run(
                secrets.token_hex(8),
                RunState.RUNNING,
                "",
                utc_text_from_ns(now_ns),
                None,
                asked_by,
                secrets.randbits(31),
                None,
            )
            connection.execute(insert(canary_runs).values(_row(run)))
        return run

    def finish(self, run_id: str, measured: Measured) -> None:
        """Keep all that a run found, in one transaction.

        Raises:
            StorageError: the run is not running any more: it took too long, and was given up.
        """
        now = utc_text_from_ns(self._now_ns())
        with self._database.write() as connection:
            done = connection.execute(
                update(canary_runs)
                .where(canary_runs.c.run_id == run_id, canary_runs.c.state == RunState.RUNNING)
                .values(state=RunState.DONE, ended_at=now, circumstances=measured.circumstances.to_json())
            )
            if not done.rowcount:
                raise StorageError(f"the measurement {run_id} was given up meanwhile, so it does not count")
            connection.execute(insert(canary_results), [_values(run_id, one) for one in measured.results])
            probed = canary_photos.c.photo_id.in_(measured.probed)
            connection.execute(update(canary_photos).where(probed).values(probed_at=now))

    def fail(self, run_id: str, reason: str) -> None:
        """Say why a run came to nothing; one that has ended stays as it is."""
        with self._database.write() as connection:
            self._end(connection, canary_runs.c.run_id == run_id, reason)

    def get(self, run_id: str) -> Run:
        """One run; there must be one."""
        with self._database.read() as connection:
            row = connection.execute(select(canary_runs).where(canary_runs.c.run_id == run_id)).one()
        return _run(row)

    def last(self, state: RunState | None = None) -> Run | None:
        """The newest, of any state or of one."""
        wanted = select(canary_runs).order_by(canary_runs.c.started_at.desc(), canary_runs.c.run_id).limit(1)
        if state is not None:
            wanted = wanted.where(canary_runs.c.state == state)
        with self._database.read() as connection:
            row = connection.execute(wanted).first()
        return None if row is None else _run(row)

    def counts(self) -> dict[RunState, int]:
        """How many runs ended in each state."""
        wanted = select(canary_runs.c.state, func.count().label("runs")).group_by(canary_runs.c.state)
        with self._database.read() as connection:
            found = {row.state: row.runs for row in connection.execute(wanted)}
        return {state: found.get(state, 0) for state in RunState}

    def done_since(self, since: str) -> list[tuple[Run, list[Result]]]:
        """The runs that ended well and began at or after `since`, oldest first, with their results."""
        recent = (canary_runs.c.state == RunState.DONE) & (canary_runs.c.started_at >= since)
        runs = select(canary_runs).where(recent).order_by(canary_runs.c.started_at, canary_runs.c.run_id)
        results = select(canary_results).join(canary_runs).where(recent).order_by(canary_results.c.id)
        with self._database.read() as connection:
            found = {row.run_id: (_run(row), list[Result]()) for row in connection.execute(runs)}
            for row in connection.execute(results):
                found[row.run_id][1].append(_result(row))
        return list(found.values())

    def prune(self, before: str) -> None:
        """Forget the results of runs that began before; that there were runs stays."""
        old = select(canary_runs.c.run_id).where(canary_runs.c.started_at < before)
        with self._database.write() as connection:
            connection.execute(delete(canary_results).where(canary_results.c.run_id.in_(old)))

    def abandon(self, limit_s: float) -> None:
        """Say of runs that have been going for longer that they ended without a word."""
        with self._database.write() as connection:
            self._abandon(connection, self._now_ns(), limit_s)

    def _abandon(self, connection: Any, now_ns: int, limit_s: float) -> None:
        stale = canary_runs.c.started_at <= utc_text_from_ns(now_ns - int(limit_s * _S))
        self._end(connection, stale, "it ended without a word: its process was stopped, or the machine")

    def _end(self, connection: Any, which: ColumnElement[bool], reason: str) -> None:
        now = utc_text_from_ns(self._now_ns())
        running = canary_runs.c.state == RunState.RUNNING
        ended = {"state": RunState.FAILED, "reason": reason, "ended_at": now}
        connection.execute(update(canary_runs).where(which, running).values(ended))


def _row(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.id,
        "state": run.state,
        "reason": run.reason,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "asked_by": run.asked_by,
        "seed": run.seed,
        "circumstances": None,
    }


def _run(row: Row[Any]) -> Run:
    found = None if row.circumstances is None else Circumstances.from_json(row.circumstances)
    state = RunState(row.state)
    return Run(row.run_id, state, row.reason, row.started_at, row.ended_at, row.asked_by, row.seed, found)


def _values(run_id: str, result: Result) -> dict[str, Any]:
    condition = result.condition
    return {
        "run_id": run_id,
        "photo_id": result.photo_id,
        "threat_model": condition.threat_model,
        "attack": condition.attack,
        "eps_255": condition.eps_255,
        "goal": condition.goal,
        "purified": condition.purified,
        "correct": result.correct,
        "false_name": result.false_name,
        "suspected": result.suspected,
    }


def _result(row: Row[Any]) -> Result:
    model = ThreatModel(row.threat_model)
    condition = Condition(model, row.attack, row.eps_255, row.goal, row.purified)
    return Result(row.photo_id, condition, row.correct, row.false_name, row.suspected)


def all_results(found: Sequence[tuple[Run, list[Result]]]) -> Iterator[Result]:
    """Of several runs, in their order."""
    for _, results in found:
        yield from results
