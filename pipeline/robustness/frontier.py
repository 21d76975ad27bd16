"""What a defence costs and what it keeps: clean accuracy and worst case, looked up among results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from pipeline.robustness.records import merged
from pipeline.robustness.results import CLEAN, WORST, Result
from pipeline.robustness.statistics import Interval
from pipeline.robustness.threat import VERIFICATION_GOALS, Goal, ThreatModel

UNDEFENDED = "none"
"""The defence that is none; it comes first wherever defences are listed."""

GOALS: tuple[Goal | None, ...] = (None, *Goal)
"""In the order of columns."""

PAIR_GOALS: tuple[Goal | None, ...] = (None, *VERIFICATION_GOALS)
"""Those of verification (1:1), among which one is the worst; `ANYONE` is of identification (1:N)."""


_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class CleanAccuracy:
    """Accuracy without an attack, 0..1; its interval where it was measured as a result of its own."""

    accuracy: float
    interval: Interval | None = None


@dataclass(frozen=True)
class Frontier:
    """Results by what they are of.

    Attributes:
        results: Sorted, each identity once: see :meth:`of`.
    """

    results: tuple[Result, ...]

    @classmethod
    def of(cls, results: Iterable[Result]) -> Frontier:
        """Of any results."""
        return cls(tuple(merged(results)))

    @cached_property
    def embedders(self) -> list[str]:
        """All of them, by name."""
        return sorted({result.embedder for result in self.results})

    @cached_property
    def threat_models(self) -> list[ThreatModel]:
        """Those with a worst case, the weaker first."""
        there = {result.threat_model for result in self.results if result.attack == WORST}
        return [model for model in ThreatModel if model in there]

    def defences(self, embedder: str) -> list[str]:
        """Those measured with an embedder: none, trained ones, then controls by kind and size."""
        return sorted({r.defence for r in self.results if r.embedder == embedder}, key=_rank)

    def budgets(self, threat_model: ThreatModel | None = None) -> list[float]:
        """Every eps_255 with a worst case (under one threat model), ascending."""
        return sorted(
            {
                result.eps_255
                for result in self.results
                if result.attack == WORST and threat_model in (None, result.threat_model)
            }
        )

    def worst(
        self, embedder: str, defence: str, threat_model: ThreatModel, eps_255: float, goal: Goal | None
    ) -> Result | None:
        """The worst case under a threat model, if it was measured."""
        return self._worst.get((defence, embedder, threat_model, goal, WORST, eps_255))

    def worst_goal(
        self, embedder: str, defence: str, threat_model: ThreatModel, eps_255: float
    ) -> Result | None:
        """The worst case for the goal of verification that does most harm.

        ``None`` where a goal was measured with another defence and not with this one: its worst goal
        would look better than it is.
        """
        found = {goal: self.worst(embedder, defence, threat_model, eps_255, goal) for goal in PAIR_GOALS}
        wanted = {
            result.goal
            for result in self._worst.values()
            if (result.embedder, result.threat_model, result.eps_255) == (embedder, threat_model, eps_255)
        }
        own = [result for result in found.values() if result is not None]
        if wanted & set(PAIR_GOALS) != {result.goal for result in own}:
            return None
        return min(own, key=lambda result: result.accuracy, default=None)

    def clean(self, embedder: str, defence: str) -> CleanAccuracy | None:
        """Of all pairs of verification.

        The result that is of no attack; where there is none, what the others say of the same pairs
        (those that are dodged and those that are impersonated together).
        """
        own = [
            result
            for result in self.results
            if (result.embedder, result.defence) == (embedder, defence) and result.goal in PAIR_GOALS
        ]
        measured = next((result for result in own if result.attack == CLEAN and result.goal is None), None)
        if measured is not None:
            return CleanAccuracy(measured.accuracy, Interval(measured.ci_low, measured.ci_high))
        of_goal = {result.goal: result for result in own}
        chosen = [of_goal[None]] if None in of_goal else list(of_goal.values())
        pairs = sum(result.n for result in chosen)
        if not pairs:
            return None
        return CleanAccuracy(sum(result.n * result.clean_accuracy for result in chosen) / pairs)

    @cached_property
    def _worst(self) -> dict[tuple[object, ...], Result]:
        return {result.identity: result for result in self.results if result.attack == WORST}


def _rank(defence: str) -> tuple[bool, bool, str, float]:
    """Controls are called by what they keep (``eigen-800``), and 1,500 come after 800."""
    kind, _, size = defence.partition("+")[0].rpartition("-")
    try:
        return defence != UNDEFENDED, True, kind, float(size)
    except ValueError:
        return defence != UNDEFENDED, False, defence, 0.0


def doubts(frontier: Frontier) -> list[str]:
    """What cannot be so, or what speaks of an attack that is too weak to show what it should; a line each.

    Three are looked for, among results of the same number of pairs: an accuracy above the clean one
    (a pair that is wrong when clean counts as wrong), a worst case that is better than one of the
    attacks it pools, and an accuracy at a larger budget that is above the interval of a smaller one
    (Carlini et al., "On Evaluating Adversarial Robustness", 2019: a larger budget must not help), or,
    of a worst case, which pools smaller budgets, above the smaller one itself.
    """
    alike: dict[tuple[object, ...], list[Result]] = {}
    for result in frontier.results:
        if result.threat_model is not ThreatModel.CORRUPTION:
            key = result.defence, result.embedder, result.goal, result.n
            alike.setdefault(key, []).append(result)
    found = []
    for group in alike.values():
        for result in group:
            if result.accuracy > result.clean_accuracy + _ROUNDING:
                found.append(
                    f"{_about(result)}: {result.accuracy:.1%}, but {result.clean_accuracy:.1%} clean"
                )
            found += [doubt for other in group if (doubt := _between(result, other))]
    return found


def _between(result: Result, other: Result) -> str | None:
    """What is wrong with a worst case beside one that it pools, or with a budget beside a smaller one."""
    same_budget = result.eps_255 == other.eps_255
    pooled = same_budget and result.attack == WORST and other.threat_model in result.threat_model.includes
    if pooled and result.accuracy > other.accuracy + _ROUNDING:
        return (
            f"{_about(result)}: {result.accuracy:.1%}, but {other.accuracy:.1%} "
            f"under {other.threat_model} {other.attack}"
        )
    same_attack = (result.threat_model, result.attack) == (other.threat_model, other.attack)
    most = other.accuracy + _ROUNDING if result.attack == WORST else other.ci_high
    if same_attack and result.eps_255 > other.eps_255 and result.accuracy > most:
        return f"{_about(result)}: {result.accuracy:.1%}, but {other.accuracy:.1%} at eps {other.eps_255:g}"
    return None


def _about(result: Result) -> str:
    goal = "" if result.goal is None else f" {result.goal}"
    return (
        f"{result.defence} with {result.embedder}, {result.threat_model}{goal}, "
        f"{result.attack} at eps {result.eps_255:g}"
    )
