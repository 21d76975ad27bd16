"""From single results to shares with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from pipeline.robustness.statistics import Interval, wilson_interval
from pipeline.robustness.threat import ThreatModel
from workers.canary.records import Condition, Result, Run
from workers.canary.runs import all_results


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many, with Wilson's interval of 95 %, as if the trials were independent."""

    count: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.count <= self.n or self.n < 1:
            raise ValueError(f"a share must be of 1 or more, got {self.count} of {self.n}")

    @property
    def value(self) -> float:
        return self.count / self.n

    @property
    def interval(self) -> Interval:
        return wilson_interval(self.count, self.n)


@dataclass(frozen=True, slots=True)
class Line:
    """What came of one condition; of its n trials, how many were right, named wrongly, and suspected."""

    condition: Condition
    correct: Share
    false_names: Share
    suspected: Share | None


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """What some runs found: of each probe under each condition the newest result, so that none counts twice.

    Attributes:
        results: They.
    """

    results: Sequence[Result]

    @classmethod
    def of(cls, results: Iterable[Result]) -> Numbers:
        """Of results in the order in which they were found."""
        newest = {(result.photo_id, result.condition): result for result in results}
        return cls(list(newest.values()))

    @property
    def purified(self) -> bool:
        """Whether there is a purifier to speak of."""
        return any(result.condition.purified for result in self.results)

    @property
    def lines(self) -> list[Line]:
        """Every condition: clean first, then by threat model; behind the purifier first."""
        conditions = {result.condition for result in self.results}
        return [self._line(condition) for condition in sorted(conditions, key=_order)]

    def clean(self, purified: bool) -> Share | None:
        """Probes that nobody attacked, and whose person was named."""
        return self._correct(ThreatModel.CORRUPTION, purified)

    def attacked(self, threat_model: ThreatModel, purified: bool) -> Share | None:
        """Probes under attack, either goal, on which the attacker did not get it."""
        return self._correct(threat_model, purified)

    def false_names(self, purified: bool, threat_models: Collection[ThreatModel]) -> Share | None:
        """Decisions that would live have named somebody else."""
        among = self._where(lambda one: one.purified == purified and one.threat_model in threat_models)
        return _share(among, lambda result: result.false_name)

    def suspected(self, threat_models: Collection[ThreatModel]) -> Share | None:
        """Decisions that are `suspected_attack`, where evidence was measured."""
        among = self._where(lambda one: one.threat_model in threat_models)
        measured = [result for result in among if result.suspected is not None]
        return _share(measured, lambda result: bool(result.suspected))

    def _correct(self, threat_model: ThreatModel, purified: bool) -> Share | None:
        among = self._where(lambda one: one.threat_model is threat_model and one.purified == purified)
        return _share(among, lambda result: result.correct)

    def _where(self, wanted: Callable[[Condition], bool]) -> list[Result]:
        return [result for result in self.results if wanted(result.condition)]

    def _line(self, condition: Condition) -> Line:
        among = [result for result in self.results if result.condition == condition]
        right = Share(sum(result.correct for result in among), len(among))
        wrong = Share(sum(result.false_name for result in among), len(among))
        measured = [result for result in among if result.suspected is not None]
        return Line(condition, right, wrong, _share(measured, lambda result: bool(result.suspected)))


def comparable(found: Sequence[tuple[Run, list[Result]]]) -> Numbers | None:
    """Of runs, oldest first, those that measured as the newest did; ``None`` where there are none."""
    newest = next((run.circumstances for run, _ in reversed(found) if run.circumstances), None)
    if newest is None:
        return None
    same = [
        (run, results)
        for run, results in found
        if run.circumstances is not None and run.circumstances.comparable == newest.comparable
    ]
    return Numbers.of(all_results(same))


def _share(among: Sequence[Result], counts: Callable[[Result], bool]) -> Share | None:
    return Share(sum(counts(result) for result in among), len(among)) if among else None


def _order(condition: Condition) -> tuple[object, ...]:
    return condition.threat_model, condition.attack, condition.goal, not condition.purified
