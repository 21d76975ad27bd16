"""Results as Markdown: what each defence costs and keeps, every attack, attack evidence, and the commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.robustness.detection_rates import DetectionRate, TakenOff
from pipeline.robustness.frontier import GOALS, CleanAccuracy, Frontier, doubts
from pipeline.robustness.protocol import Split
from pipeline.robustness.results import CLEAN, UNBOUNDED_255, WORST, Result
from pipeline.robustness.threat import Goal, ThreatModel

_GOALS = {
    None: "genuine and impostor pairs, without a goal or each for its own",
    Goal.DODGE: "genuine pairs are changed so that they no longer match (false non-match)",
    Goal.IMPERSONATE: "impostor pairs are changed so that they match (false match)",
    Goal.ANYONE: "a stranger's crop is changed so that it matches whoever of a gallery is easiest "
    "(1:N false positive); n counts strangers",
}

_MISSING = "\N{EN DASH}"


def markdown(
    results: Iterable[Result],
    pictures: Sequence[tuple[str, str]] = (),
    rates: Sequence[DetectionRate] = (),
) -> str:
    """The whole report.

    Args:
        results: What it is made of; of the same identity the last.
        pictures: Caption and address of each picture to show, as Markdown is to link it.
        rates: What attack evidence finds, each identity once.
    """
    frontier = Frontier.of(results)
    made = [*(result.command for result in frontier.results), *(rate.command for rate in rates)]
    commands = list(dict.fromkeys(made))
    parts = [
        "# Robustness",
        _reading(frontier),
        *_frontier_tables(frontier),
        *(f"![{caption}]({address})" for caption, address in pictures),
        *_details(frontier, commands),
        *_evidence(rates, commands),
        _consistency(frontier),
        "## Commands\n\nWhat made the figures, by the numbers in the tables above.",
        "\n".join(f"{number}. {_code(command)}" for number, command in enumerate(commands, 1)),
    ]
    return "\n\n".join(parts) + "\n"


def percent(share: float) -> str:
    """``97.3`` of 0.973."""
    return f"{100 * share:.1f}"


def budget(eps_255: float) -> str:
    """What a column or a panel calls a budget."""
    if eps_255 == 0:
        return "no budget"
    return "no bound" if eps_255 == UNBOUNDED_255 else f"eps {eps_255:g}/255"


def _reading(frontier: Frontier) -> str:
    """How to read it: the words, of those threat models and goals that are there."""
    models = [m for m in ThreatModel if any(result.threat_model is m for result in frontier.results)]
    goals = [g for g in GOALS if any(result.goal is g for result in frontier.results)]
    lines = [
        "Accuracies in % of all pairs of face verification (1:1), with 95 % intervals in brackets.",
        "",
        "- **Denominator**: all pairs of the goal. A pair that is decided wrongly without an attack counts "
        "as wrong under every attack.",
        "- **Intervals**: bootstrap over people, not pairs, and never narrower than Wilson's.",
        f"- **{WORST}**: per pair the worst over the examples of all attacks of the threat model and of "
        "those it includes.",
        "- **eps**: bound on the change of each colour value of the aligned 112x112 crop (L-infinity), "
        "in 8-bit units; the attacked crop is rounded to 8 bits before it is scored.",
        f"- {_MISSING}: not measured.",
        "",
        "Threat models:",
        "",
        *(f"- **{model}**: {model.describes}{_included(model)}" for model in models),
        "",
        f"Only {ThreatModel.ADAPTIVE} is white-box. What is kept under a weaker model is not robustness "
        "against somebody who knows the defence.",
        "",
        "Goals:",
        "",
        *(f"- **{_goal(goal)}**: {_GOALS[goal]}" for goal in goals),
    ]
    return "\n".join(lines)


def _included(model: ThreatModel) -> str:
    weaker = [str(other) for other in model.includes if other is not model]
    return f" (includes {', '.join(weaker)})" if weaker else ""


def _frontier_tables(frontier: Frontier) -> list[str]:
    """One for each budget: a row a defence, worst cases by threat model and goal."""
    parts = ["## Frontier"]
    if not frontier.budgets():
        parts.append("No worst case has been measured.")
    for eps_255 in frontier.budgets():
        columns = [
            (model, goal)
            for model in frontier.threat_models
            for goal in GOALS
            if any(_is_worst(result, model, goal, eps_255) for result in frontier.results)
        ]
        head = ["embedder", "defence", "clean", *(f"{model} {_goal(goal)}" for model, goal in columns)]
        rows = []
        for embedder in frontier.embedders:
            for defence in frontier.defences(embedder):
                found = [frontier.worst(embedder, defence, model, eps_255, goal) for model, goal in columns]
                if any(found):
                    clean = _clean(frontier.clean(embedder, defence))
                    rows.append([embedder, defence, clean, *map(_cell, found)])
        parts += [f"### Worst case, {budget(eps_255)}", _table(head, rows, left=2)]
    return parts


def _is_worst(result: Result, model: ThreatModel, goal: Goal | None, eps_255: float) -> bool:
    return (result.threat_model, result.goal, result.attack, result.eps_255) == (model, goal, WORST, eps_255)


def _details(frontier: Frontier, commands: Sequence[str]) -> list[str]:
    """A table for each threat model: a row for each defence, goal and attack, a column a budget."""
    parts = []
    for model in ThreatModel:
        own = [result for result in frontier.results if result.threat_model is model]
        if own:
            parts += [f"## {model}: {model.describes}", _detail_table(frontier, own, commands)]
    return parts


def _detail_table(frontier: Frontier, results: Sequence[Result], commands: Sequence[str]) -> str:
    budgets = sorted({result.eps_255 for result in results})
    groups: dict[tuple[str, str, Goal | None, str], list[Result]] = {}
    for result in results:
        key = result.embedder, result.defence, result.goal, result.attack
        groups.setdefault(key, []).append(result)
    rows = []
    for embedder, defence, goal, attack in sorted(groups, key=lambda key: _row_order(frontier, *key)):
        group = groups[embedder, defence, goal, attack]
        at = {result.eps_255: result for result in group}
        rows.append(
            [
                embedder,
                defence,
                _goal(goal),
                attack,
                _listed(percent(result.clean_accuracy) for result in group),
                *(_cell(at.get(eps_255)) for eps_255 in budgets),
                _listed(str(result.n) for result in group),
                _listed(str(result.seed) for result in group),
                _listed(str(commands.index(result.command) + 1) for result in group),
            ]
        )
    head = ["embedder", "defence", "goal", "attack", "clean", *map(budget, budgets), "n", "seed", "command"]
    return _table(head, rows, left=4)


def _row_order(
    frontier: Frontier, embedder: str, defence: str, goal: Goal | None, attack: str
) -> tuple[str, int, int, int, str]:
    """By what is attacked; clean first and the worst case last."""
    place = 0 if attack == CLEAN else 2 if attack == WORST else 1
    return embedder, frontier.defences(embedder).index(defence), GOALS.index(goal), place, attack


def _evidence(rates: Sequence[DetectionRate], commands: Sequence[str]) -> list[str]:
    """How to read it, the thresholds, and what is above them."""
    if not rates:
        return []
    lines = [
        "## Attack evidence",
        "",
        "Share of crops in % whose attack evidence is above a threshold, with 95 % intervals as above (they "
        "take the threshold as given).",
        "",
        "- **Evidence**: how far purification moves the embedding, 0 to 2, less what is taken off.",
        f"- **Threshold**: set on unattacked crops, clean and corrupted: of {Split.SELECT}, as it can be "
        f"known, or of {Split.SCORE} itself.",
        "- **Denominator**: all attacked crops, each a track of one. An attack that does not change the "
        "decision counts as well.",
        f"- **{ThreatModel.CORRUPTION}**: nobody attacks, so that the share is of false alarms. Each track "
        "of a clip counts as a person of its own.",
    ]
    return [
        "\n".join(lines),
        f"### Thresholds of attack evidence\n\n{_threshold_table(rates)}",
        f"### Found by attack evidence\n\n{_rate_table(rates, commands)}",
    ]


def _threshold_table(rates: Sequence[DetectionRate]) -> str:
    """A row a threshold: where it is, and how many unattacked crops are above it."""
    rows = {
        (
            rate.embedder,
            rate.defence,
            _threshold(rate),
            f"{rate.threshold:.3f}",
            percent(rate.false_alarm_rate),
            percent(rate.false_alarms_on_scored),
        ): None
        for rate in sorted(rates, key=lambda rate: (rate.embedder, rate.defence, _threshold_order(rate)))
    }
    what = ["embedder", "defence", "taken off, calibrated on"]
    head = [*what, "threshold", "false alarms there", f"false alarms on {Split.SCORE}"]
    return _table(head, list(rows), left=len(what))


def _rate_table(rates: Sequence[DetectionRate], commands: Sequence[str]) -> str:
    """A row for each defence and attack, a column a threshold."""
    columns = list(dict.fromkeys(_threshold(rate) for rate in sorted(rates, key=_threshold_order)))
    groups: dict[tuple[str, str, ThreatModel, Goal | None, str, float], list[DetectionRate]] = {}
    for rate in sorted(rates, key=_rate_order):
        key = rate.embedder, rate.defence, rate.threat_model, rate.goal, rate.attack, rate.eps_255
        groups.setdefault(key, []).append(rate)
    rows = []
    for (embedder, defence, model, goal, attack, eps_255), group in groups.items():
        at = {_threshold(rate): _share(rate.detected, rate.ci_low, rate.ci_high) for rate in group}
        shipped = (f"{rate.highest:.3f}" for rate in group if rate.taken_off is TakenOff.ALL)
        rows.append(
            [
                embedder,
                defence,
                model,
                _MISSING if goal is None else goal,
                attack,
                budget(eps_255),
                *(at.get(column, _MISSING) for column in columns),
                next(shipped, _MISSING),
                _listed(str(rate.n) for rate in group),
                _listed(str(rate.seed) for rate in group),
                _listed(str(commands.index(rate.command) + 1) for rate in group),
            ]
        )
    what = ["embedder", "defence", "threat model", "goal", "attack", "budget"]
    head = [*what, *columns, f"highest, {TakenOff.ALL} taken off", "n", "seed", "command"]
    return _table(head, rows, left=len(what))


def _threshold(rate: DetectionRate) -> str:
    return f"{rate.taken_off}, {rate.calibrated_on}"


def _threshold_order(rate: DetectionRate) -> tuple[int, int]:
    return list(Split).index(rate.calibrated_on), list(TakenOff).index(rate.taken_off)


def _rate_order(rate: DetectionRate) -> tuple[str, str, int, bool, str, float, int]:
    """By what is attacked and who attacks; clean first."""
    model = list(ThreatModel).index(rate.threat_model)
    what = rate.attack != CLEAN, rate.attack, rate.eps_255, GOALS.index(rate.goal)
    return rate.embedder, rate.defence, model, *what


def _consistency(frontier: Frontier) -> str:
    found = doubts(frontier)
    lines = [
        "## Consistency",
        "",
        "Looked for: accuracies above the clean one, worst cases better than an attack that they pool, "
        "and accuracies that rise with the budget beyond the interval (signs of an attack that is too weak).",
        "",
        *(f"- {_escaped(doubt)}" for doubt in found),
    ]
    return "\n".join(lines if found else [*lines, "None was found."])


def _cell(result: Result | None) -> str:
    if result is None:
        return _MISSING
    return _share(result.accuracy, result.ci_low, result.ci_high)


def _clean(clean: CleanAccuracy | None) -> str:
    if clean is None:
        return _MISSING
    if clean.interval is None:
        return percent(clean.accuracy)
    return _share(clean.accuracy, clean.interval.low, clean.interval.high)


def _share(share: float, low: float, high: float) -> str:
    return f"{percent(share)} [{percent(low)}, {percent(high)}]"


def _goal(goal: Goal | None) -> str:
    return "all pairs" if goal is None else str(goal)


def _listed(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """Markdown, padded so that it can be read as text as well; `left` columns of words, then figures."""
    cells = [[_escaped(cell) for cell in row] for row in (head, *rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(head))]
    lines = [
        "| "
        + " | ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in cells
    ]
    rule = ["-" * width if column < left else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return "\n".join([lines[0], "| " + " | ".join(rule) + " |", *lines[1:]])


def _escaped(text: str) -> str:
    for sign in "\\|*<`":  # an underscore within a word is one
        text = text.replace(sign, f"\\{sign}")
    return text


def _code(text: str) -> str:
    """As code, whatever quotes it holds."""
    longest = max((len(run) for run in "".join(c if c == "`" else " " for c in text).split()), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if longest else f"`{text}`"
