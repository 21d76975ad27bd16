"""Pictures of results: accuracy against budget, and what a defence costs against what it keeps."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import StorageError, UsageError
from pipeline.robustness.frontier import PAIR_GOALS, CleanAccuracy, Frontier
from pipeline.robustness.labels import Spot, place_labels
from pipeline.robustness.panels import BAR, dress, legend_key, look_of, make_panels, save
from pipeline.robustness.results import UNBOUNDED_255, WORST, Result
from pipeline.robustness.threat import ThreatModel

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class _Share:
    """An accuracy and its interval, in %; without an interval, both ends are the accuracy."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, result: Result) -> _Share:
        return cls(100 * result.accuracy, 100 * result.ci_low, 100 * result.ci_high)

    @classmethod
    def of_clean(cls, clean: CleanAccuracy) -> _Share:
        low, high = (clean.interval.low, clean.interval.high) if clean.interval else (clean.accuracy,) * 2
        return cls(100 * clean.accuracy, 100 * low, 100 * high)

    @property
    def bars(self) -> tuple[float, float]:
        """Down and up."""
        return self.value - self.low, self.high - self.value


def draw_all(frontier: Frontier, folder: Path, eps_255: float | None = None) -> list[tuple[str, Path]]:
    """Both pictures of every embedder that has worst cases with a budget, as PNG.

    Args:
        frontier: The results.
        folder: Where to; made if it is not there.
        eps_255: Budget of the second picture; by default the one at which most was measured, of equals
            the largest.

    Returns:
        Caption and file of each.

    Raises:
        UsageError: there is nothing to draw, or nothing at `eps_255`.
        StorageError: a file cannot be written.
    """
    measured = Counter(
        result.eps_255
        for result in frontier.results
        if result.attack == WORST and 0 < result.eps_255 < UNBOUNDED_255
    )
    if not measured:
        raise UsageError("no worst case with a budget is among these results: there is nothing to draw")
    chosen = max(measured, key=lambda eps: (measured[eps], eps)) if eps_255 is None else eps_255
    if chosen not in measured:
        known = ", ".join(f"{eps:g}" for eps in sorted(measured))
        raise UsageError(f"no worst case was measured at eps {chosen:g}, only at {known}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make the folder {folder}: {error}") from error
    pictures = []
    for embedder in frontier.embedders:
        name = re.sub(r"[^A-Za-z0-9.-]+", "-", embedder)
        by_eps, both = folder / f"accuracy-by-eps-{name}.png", folder / f"clean-and-robust-{name}.png"
        there = {r.eps_255 for r in frontier.results if r.embedder == embedder and r.attack == WORST}
        if there & set(measured):
            plot_accuracy_by_eps(frontier, embedder, by_eps)
            pictures.append((f"Worst-case accuracy against the budget, {embedder}", by_eps))
        if chosen in there:
            plot_clean_and_robust(frontier, embedder, chosen, both)
            pictures.append((f"Clean and worst-case accuracy at eps {chosen:g}/255, {embedder}", both))
    return pictures


def plot_accuracy_by_eps(frontier: Frontier, embedder: str, target: Path) -> None:
    """Worst-case accuracy against the budget: a panel a threat model, a line a defence.

    Each point is the goal that does most harm there; at a budget of 0 is the clean accuracy.

    Args:
        frontier: The results.
        embedder: Whose.
        target: File to write; its extension chooses PNG, SVG or PDF.

    Raises:
        UsageError: no worst case of this embedder has a budget.
        StorageError: the file cannot be written.
    """
    defences = frontier.defences(embedder)
    panels: dict[ThreatModel, dict[str, dict[float, _Share]]] = {}
    for model in frontier.threat_models:
        lines = {defence: _line(frontier, embedder, defence, model) for defence in defences}
        if any(lines.values()):
            panels[model] = {defence: line for defence, line in lines.items() if line}
    if not panels:
        raise UsageError(f"no worst case of the embedder {embedder} has a budget: there is nothing to draw")
    figure, axes = make_panels(
        f"Verification accuracy under attack for the worst goal, {embedder}", len(panels), len(defences)
    )
    for (model, panel), into in zip(panels.items(), axes, strict=True):
        budgets = sorted({eps for line in panel.values() for eps in line})
        gap = min(after - before for before, after in itertools.pairwise(budgets))
        for defence, line in panel.items():
            place = defences.index(defence)
            # side by side, so that bars do not hide one another
            shift = 0.3 * gap * ((place + 0.5) / len(defences) - 0.5)
            _draw_line(into, line, shift, look_of(place))
        into.set_xticks(budgets, [f"{eps:g}" for eps in budgets])
        dress(into, model, "budget: eps, L∞, in 8-bit units", "accuracy, worst case (%)")
    handles = {name: legend_key(look_of(place)) for place, name in enumerate(defences)}
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    save(figure, target)


def plot_clean_and_robust(frontier: Frontier, embedder: str, eps_255: float, target: Path) -> None:
    """Worst-case against clean accuracy at one budget: a panel a threat model, a labelled point a defence.

    The grey steps join the defences that no other beats in both.

    Args:
        frontier: The results.
        embedder: Whose.
        eps_255: Which budget.
        target: File to write; its extension chooses PNG, SVG or PDF.

    Raises:
        UsageError: no worst case of this embedder has this budget.
        StorageError: the file cannot be written.
    """
    from matplotlib.ticker import MaxNLocator

    defences = frontier.defences(embedder)
    found = {model: _points(frontier, embedder, model, eps_255) for model in frontier.threat_models}
    panels = {model: points for model, points in found.items() if points}
    if not panels:
        raise UsageError(
            f"no worst case of the embedder {embedder} is there at eps {eps_255:g}: there is nothing to draw"
        )
    title = f"Clean and worst-case verification accuracy at eps {eps_255:g}/255, {embedder}"
    figure, axes = make_panels(title, len(panels), 0)
    for (model, points), into in zip(panels.items(), axes, strict=True):
        _draw_steps(into, list(points.values()))
        for name, (clean, robust) in points.items():
            look = look_of(defences.index(name))
            into.errorbar(
                clean.value,
                robust.value,
                xerr=_columns([clean]),
                yerr=_columns([robust]),
                color=look["color"],
                marker=look["marker"],
                **BAR,
            )
        into.margins(x=0.2)
        into.set_xlim(right=min(into.get_xlim()[1], 101.0))
        into.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
        dress(into, model, "accuracy, clean (%)", "accuracy, worst case (%)")
    figure.draw_without_rendering()  # labels are placed in the final layout
    for points, into in zip(panels.values(), axes, strict=True):
        spots = [
            Spot(
                name,
                clean.value,
                robust.value,
                (clean.low, clean.high),
                (robust.low, robust.high),
                look_of(defences.index(name))["color"],
            )
            for name, (clean, robust) in points.items()
        ]
        place_labels(into, spots)
    save(figure, target)


def _line(frontier: Frontier, embedder: str, defence: str, model: ThreatModel) -> dict[float, _Share]:
    """Budget -> accuracy for the worst goal, at 0 the clean accuracy; empty where nothing was measured."""
    line = {
        eps_255: _Share.of(result)
        for eps_255 in frontier.budgets(model)
        if 0 < eps_255 < UNBOUNDED_255 and (result := frontier.worst_goal(embedder, defence, model, eps_255))
    }
    if not line:
        return {}
    least = min(
        result.clean_accuracy
        for goal in PAIR_GOALS
        for eps_255 in line
        if (result := frontier.worst(embedder, defence, model, eps_255, goal))
    )
    clean = frontier.clean(embedder, defence)
    if clean is None or not math.isclose(clean.accuracy, least, abs_tol=1e-9):
        clean = CleanAccuracy(least)  # of the goal whose pairs are the harder ones, not of all pairs
    return {0.0: _Share.of_clean(clean), **line}


def _points(
    frontier: Frontier, embedder: str, model: ThreatModel, eps_255: float
) -> dict[str, tuple[_Share, _Share]]:
    """Defence -> clean accuracy, worst-case accuracy."""
    points = {}
    for defence in frontier.defences(embedder):
        robust = frontier.worst_goal(embedder, defence, model, eps_255)
        clean = frontier.clean(embedder, defence)
        if robust is not None and clean is not None:
            points[defence] = (_Share.of_clean(clean), _Share.of(robust))
    return points


def _draw_line(into: Axes, line: dict[float, _Share], shift: float, look: dict[str, Any]) -> None:
    at = [eps_255 + shift for eps_255 in sorted(line)]
    shares = [line[eps_255] for eps_255 in sorted(line)]
    into.errorbar(at, [share.value for share in shares], yerr=_columns(shares), **look, **BAR)


def _draw_steps(into: Axes, points: Sequence[tuple[_Share, _Share]]) -> None:
    """From the most robust to the most accurate, through those that nothing beats in both."""
    best: list[tuple[float, float]] = []
    for clean, robust in sorted(((c.value, r.value) for c, r in points), reverse=True):
        if not best or robust > best[-1][1]:
            best.append((clean, robust))
    if len(best) > 1:
        x, y = zip(*best, strict=True)
        into.step(x, y, where="pre", color="#BBBBBB", linewidth=1.2, zorder=0)


def _columns(shares: Sequence[_Share]) -> list[list[float]]:
    """As matplotlib takes asymmetric bars: all down, then all up."""
    return [[share.bars[0] for share in shares], [share.bars[1] for share in shares]]
