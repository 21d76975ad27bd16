"""Results as Markdown: what each defence costs and keeps, then every attack, and what made the figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.robustness.frontier import GOALS, CleanAccuracy, Frontier, doubts
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


def markdown(results: Iterable[Result], pictures: Sequence[tuple[str, str]] = ()) -> str:
    """The whole report.

    Args:
        results: What it is made of; of the same identity the last.
        pictures: Caption and address of each picture to show, as Markdown is to link it.
    """
    frontier = Frontier.of(results)
    commands = list(dict.fromkeys(result.command for result in frontier.results))
    parts = [
        "# Robustness",
        _reading(frontier),
        *_frontier_tables(frontier),
        *(f"![{caption}]({address})" for caption, address in pictures),
        *_details(frontier, commands),
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
    return f"{percent(result.accuracy)} [{percent(result.ci_low)}, {percent(result.ci_high)}]"


def _clean(clean: CleanAccuracy | None) -> str:
    if clean is None:
        return _MISSING
    if clean.interval is None:
        return percent(clean.accuracy)
    return f"{percent(clean.accuracy)} [{percent(clean.interval.low)}, {percent(clean.interval.high)}]"


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
