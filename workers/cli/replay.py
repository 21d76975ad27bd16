"""`pinwatch replay`: derives recorded decisions again, and says which come out otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from audit.replay import Changes, Replayed, Result, Wanted, recorded_decisions
from pipeline.errors import UsageError
from pipeline.types import Sighting
from workers.build import Context
from workers.cli.common import context, err, out, print_json, progress
from workers.cli.replay_footage import replay_footage
from workers.names import subject_ids
from workers.replay_results import ResultsFile

_SETTABLE = {
    "match": "match",
    "threshold": "match",
    "margin": "margin",
    "votes": "votes",
    "evidence": "evidence",
}
_GOOD = (Result.IDENTICAL, Result.WITHIN_TOLERANCE, Result.ERASED)
_ROWS = 200


def replay(
    ctx: typer.Context,
    decisions: Annotated[
        list[str] | None, typer.Argument(metavar="DECISION...", help="Ids of decisions; none: all that fit.")
    ] = None,
    run: Annotated[str | None, typer.Option(help="Only decisions of this run.", metavar="RUN")] = None,
    camera: Annotated[str | None, typer.Option(help="Only of this camera.", metavar="CAMERA")] = None,
    all_revisions: Annotated[
        bool, typer.Option(help="Also decisions that a track's last one replaced.")
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Decide with another match, margin, votes or evidence."
        ),
    ] = None,
    gallery_epoch: Annotated[
        int | None, typer.Option(help="Decide with the gallery as of another epoch.", min=0, metavar="N")
    ] = None,
    other_models: Annotated[
        bool,
        typer.Option(
            help="Decide with the models of --embedder and --purifier, whatever decided before: the "
            "gallery's photographs are embedded again in memory."
        ),
    ] = False,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep every result there, and go on where an earlier run ended."),
    ] = None,
    footage: Annotated[
        bool, typer.Option("--footage", help="Decide again from the recorded pictures, not from kept crops.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="A JSON line a decision.")] = False,
) -> None:
    """Derive recorded decisions again from the crops that were kept.

    Every decision is made anew from its crops, with the gallery as it was then and the thresholds that were
    in force. On equal libraries and processors the same bytes must come out; elsewhere the same outcome, and
    similarities within 0.0001. With `--set`, `--gallery-epoch` or `--other-models` it says what would have
    been decided instead. Ends with 1 if anything differs that should not.

    With `--footage` the recorded pictures go through detection and tracking again, and tracks are compared
    one by one: how many come out identical, or with the same outcome and similarities within 0.01. It ends
    with 1 if more than one in a hundred does not.

    Example: `pinwatch replay --run case-7 --set threshold=0.5`
    """
    program = context(ctx)
    if footage:
        if set_ or gallery_epoch is not None or other_models or all_revisions or decisions or resume:
            raise UsageError("--footage goes with --run, --camera and --json alone")
        replay_footage(program, Wanted(run, camera), json)
        return
    changes = Changes(**_numbers(set_ or []), gallery_epoch=gallery_epoch)
    wanted = Wanted(run, camera, frozenset(decisions or ()), final=not all_revisions)
    replayed = _run(program, wanted, changes, anew=other_models, results=resume)
    asked = changes.any or other_models
    if json:
        for each in replayed:
            print_json(_as_json(each))
    else:
        _show(program, replayed, asked)
    if not asked and any(each.result not in _GOOD for each in replayed):
        raise typer.Exit(1)


def _numbers(assignments: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in assignments:
        name, _, value = text.partition("=")
        if name not in _SETTABLE:
            raise UsageError(f"--set {text}: there is {', '.join(_SETTABLE)}, as in --set threshold=0.5")
        try:
            found[_SETTABLE[name]] = float(value)
        except ValueError:
            raise UsageError(f"--set {text}: {value!r} is no number") from None
    return found


def _run(
    program: Context, wanted: Wanted, changes: Changes, *, anew: bool, results: Path | None
) -> list[Replayed]:
    from workers.build_audit import replay

    folder = program.ledger_folder()
    if not folder.exists():
        raise UsageError(f"there is no ledger in {folder.root}: nothing was decided with this data folder")
    entries = list(recorded_decisions(folder, wanted))
    if not entries:
        raise UsageError(
            "the ledger holds no decision that fits: `pinwatch audit show` lists runs and cameras"
        )
    with progress() as bar, ResultsFile(results) as kept:
        task = bar.add_task("deciding again", total=len(entries))
        left = [entry for entry in entries if entry.decision_id not in kept.done]
        bar.advance(task, len(entries) - len(left))
        for each in replay(program, anew).run(left, changes):
            kept.add(each)
            bar.advance(task)
        return [kept.done[entry.decision_id] for entry in entries]


def _as_json(each: Replayed) -> dict[str, object]:
    return {
        "decision_id": each.decision_id,
        "result": str(each.result),
        "recorded": None if each.recorded is None else msgspec.to_builtins(each.recorded),
        "derived": None if each.derived is None else msgspec.to_builtins(each.derived),
        "differences": {name: list(pair) for name, pair in each.differences.items()},
    }


def _show(program: Context, replayed: Collection[Replayed], asked: bool) -> None:
    shown = [each for each in replayed if each.result is not Result.IDENTICAL and _matters(each, asked)]
    if shown:
        known = [sighting for each in shown for sighting in (each.recorded, each.derived) if sighting]
        out.print(_table(shown[:_ROWS], program.store().names(subject_ids(known))))
    if len(shown) > _ROWS:
        out.print(f"… and {len(shown) - _ROWS} more; --json has all")
    counts = Counter(each.result for each in replayed)
    what = ", ".join(f"{count} {result}" for result, count in counts.most_common())
    out.print(f"{len(replayed)} decisions: {what}", markup=False)
    if asked:
        changed = sum(_renamed(each) for each in replayed)
        out.print(f"{changed} would have ended otherwise")
    elif any(each.result is Result.OTHER_MODELS for each in replayed):
        err.print("name the models that decided with --embedder and --purifier, or use --other-models")


def _matters(each: Replayed, asked: bool) -> bool:
    return _renamed(each) or not asked


def _renamed(each: Replayed) -> bool:
    """Whether somebody else is named, or nobody instead of somebody."""
    if each.recorded is None or each.derived is None:
        return False
    before, after = each.recorded, each.derived
    return (before.outcome, before.subject_id) != (after.outcome, after.subject_id)


def _table(shown: Sequence[Replayed], names: Mapping[str, str]) -> Table:
    table = Table("decision", "camera", "track", "result", "was", "comes out", box=None, pad_edge=False)
    for each in shown:
        made = each.recorded
        table.add_row(
            each.decision_id[:12],
            "" if made is None else escape(made.camera_id),
            "" if made is None else str(made.track_id),
            str(each.result),
            _said(made, names),
            _said(each.derived, names),
        )
    return table


def _said(sighting: Sighting | None, names: Mapping[str, str]) -> str:
    if sighting is None:
        return ""
    number = "" if sighting.similarity is None else f" {sighting.similarity:.4f}"
    name = names.get(sighting.candidate_id or "", "")
    return f"{sighting.outcome}{number}" + (f" {escape(name)}" if name else "")
