"""How the numbers went: a point a run or a day, and where something changed that they depend on."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, Row, cast, func, select

from gallery.database import Database
from gallery.tables import canary_results, canary_runs
from pipeline.robustness.statistics import wilson_interval
from pipeline.robustness.threat import ThreatModel
from workers.canary.records import Circumstances, RunState

_TEXT_OF_DAY = len("2025-01-31")
_WHOLE_TEXT = 32


class Step(enum.StrEnum):
    """What makes one point."""

    RUN = "run"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Point:
    """Accuracy under one threat model, for either goal together.

    Attributes:
        at: Day, or beginning of the run; ISO 8601 UTC.
        threat_model: ``T0`` without an attack.
        purified: Behind the purifier.
        value: 0..1.
        n: Different probes and goals; one that was tried several times counts once.
        low: Lower end of the interval; `high` its upper end.
    """

    at: str
    threat_model: ThreatModel
    purified: bool
    value: float
    n: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Mark:
    """From here on something was different: models, thresholds, attack, gallery, or canaries."""

    at: str
    what: tuple[str, ...]


class History:
    """Reads how it went.

    Args:
        database: Where runs are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def points(self, since: str, step: Step) -> list[Point]:
        """Oldest first."""
        length = _TEXT_OF_DAY if step is Step.DAY else _WHOLE_TEXT
        at = func.substr(canary_runs.c.started_at, 1, length).label("at")
        of = canary_results.c
        groups = at, of.threat_model, of.purified
        wanted = (
            select(
                *groups,
                func.sum(cast(of.correct, Integer)).label("correct"),
                func.count().label("trials"),
                func.count(of.photo_id.distinct()).label("photos"),
                func.count(of.goal.distinct()).label("goals"),
            )
            .join(canary_runs, canary_runs.c.run_id == of.run_id)
            .where(canary_runs.c.state == RunState.DONE, canary_runs.c.started_at >= since)
            .group_by(*groups)
            .order_by(*groups)
        )
        with self._database.read() as connection:
            return [_point(row) for row in connection.execute(wanted)]

    def marks(self, since: str, step: Step) -> list[Mark]:
        """Where the circumstances of the runs changed, oldest first."""
        wanted = (
            select(canary_runs.c.started_at, canary_runs.c.circumstances)
            .where(canary_runs.c.state == RunState.DONE, canary_runs.c.started_at >= since)
            .order_by(canary_runs.c.started_at)
        )
        with self._database.read() as connection:
            rows = connection.execute(wanted).all()
        runs = [(row.started_at, Circumstances.from_json(row.circumstances)) for row in rows]
        length = _TEXT_OF_DAY if step is Step.DAY else _WHOLE_TEXT
        found: dict[str, list[str]] = {}
        for at, what in _changes(runs):
            known = found.setdefault(at[:length], [])
            known += [one for one in what if one not in known]
        return [Mark(at, tuple(what)) for at, what in found.items()]


def _point(row: Row[Any]) -> Point:
    n = min(row.trials, row.photos * row.goals)
    value = row.correct / row.trials
    interval = wilson_interval(value * n, n)
    model = ThreatModel(row.threat_model)
    return Point(row.at, model, bool(row.purified), value, n, interval.low, interval.high)


def _changes(runs: Sequence[tuple[str, Circumstances]]) -> Iterator[tuple[str, list[str]]]:
    for (_, one), (at, two) in itertools.pairwise(runs):
        what = [name for name, differs in _differences(one, two) if differs]
        if what:
            yield at, what


def _differences(one: Circumstances, two: Circumstances) -> Iterator[tuple[str, bool]]:
    models = [(run.embedder, run.purifier, run.align_version) for run in (one, two)]
    thresholds = [(run.thresholds, run.bare) for run in (one, two)]
    attack = [(run.eps_255, run.adaptive_eps_255, run.steps) for run in (one, two)]
    yield "models", models[0] != models[1]
    yield "thresholds", thresholds[0] != thresholds[1]
    yield "attack", attack[0] != attack[1]
    yield "gallery", one.gallery_epoch != two.gallery_epoch
    yield "canaries", one.canary_set != two.canary_set
