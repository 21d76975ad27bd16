"""`pinwatch gallery calibrate`: thresholds from the user's own gallery."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from audit.verdicts import JudgedPairs, VerdictStore
from pipeline.errors import UsageError
from workers.cli.common import context, err, out, print_json
from workers.cli.showing import path_text, similarity_text

if TYPE_CHECKING:
    from gallery.calibrate import Distributions, OperatingPoint
    from workers.build import Context


def calibrate(
    ctx: typer.Context,
    fmr: Annotated[
        float | None,
        typer.Option("--fmr", metavar="RATE", help="Wanted false match rate: one stranger, one subject."),
    ] = None,
    tracks_per_day: Annotated[
        float, typer.Option(min=0.0, metavar="N", help="People who pass one camera in a day.")
    ] = 1000.0,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the distributions (png, svg or pdf).")
    ] = None,
    save: Annotated[
        bool, typer.Option("--save", help="Use the threshold for --fmr from now on, in place of the card's.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure how alike the people of this gallery look, and find the threshold for a wanted error rate.

    Every photograph is compared with every other subject, and with its own subject's other photographs. A
    rate is refused if there are too few pairs of people to have seen it: below 30 / pairs. What people said
    of sightings (`pinwatch sightings judge`) is held against each threshold as well.

    Example: `pinwatch gallery calibrate --fmr 0.0001 --tracks-per-day 2000 --plot calibration.png --save`
    """
    from gallery.calibrate import operating_point, report_json, supported_rates

    if save and fmr is None:
        raise UsageError("--save needs --fmr: which false match rate is wanted?")
    program = context(ctx)
    measured = _measure(program)
    wanted = supported_rates(measured) if fmr is None else [fmr]
    points = [operating_point(measured, rate, tracks_per_day) for rate in wanted]
    judged = VerdictStore(program.database()).pairs_for_calibration(program.template_key())
    report = {**report_json(measured, points, tracks_per_day), "judged": _judged_json(judged, points)}
    if plot is not None:
        _plot(measured, points, plot)
    if save:
        _save(program, points[0], report)
    if json:
        print_json(report)
    else:
        _print(measured, points)
        _print_judged(judged, points)


def _measure(program: Context) -> Distributions:
    from gallery.calibrate import measure

    store = program.store()
    snapshot = store.snapshot(program.template_key())
    photo_of = {template.id: template.photo.sha256 for template in store.templates()}
    return measure(snapshot, [photo_of[template_id] for template_id in snapshot.template_ids.tolist()])


def _judged_json(judged: JudgedPairs, points: Sequence[OperatingPoint]) -> dict[str, Any]:
    return {
        "confirmed": len(judged.genuine),
        "rejected": len(judged.impostor),
        "disputed": judged.disputed,
        "by_threshold": [
            {
                "threshold": point.threshold,
                "confirmed_below": sum(pair.similarity < point.threshold for pair in judged.genuine),
                "rejected_above": sum(pair.similarity >= point.threshold for pair in judged.impostor),
            }
            for point in points
        ],
    }


def _print_judged(judged: JudgedPairs, points: Sequence[OperatingPoint]) -> None:
    found = _judged_json(judged, points)
    if not (judged.genuine or judged.impostor):
        return
    disputed = f", {judged.disputed} disputed" if judged.disputed else ""
    out.print(f"people confirmed {found['confirmed']} sightings and rejected {found['rejected']}{disputed}")
    for row in found["by_threshold"]:
        out.print(
            f"  at {row['threshold']:.3f}: {row['confirmed_below']} confirmed ones would not be named, "
            f"{row['rejected_above']} rejected ones would",
        )


def _plot(measured: Distributions, points: list[OperatingPoint], target: Path) -> None:
    from gallery.calibration_plot import plot_distributions

    plot_distributions(measured, points[-1] if points else None, target)
    err.print(f"drawn in {path_text(target)}", markup=False)


def _save(program: Context, point: OperatingPoint, report: dict[str, object]) -> None:
    margin = program.thresholds().margin
    saved = program.calibrations().save(
        program.template_key(), match=point.threshold, margin=margin, fmr=point.wanted_fmr, report=report
    )
    err.print(f"saved as calibration {saved.id}: in use since gallery epoch {saved.epoch}", markup=False)


def _print(measured: Distributions, points: list[OperatingPoint]) -> None:
    out.print(
        f"{measured.subjects} subjects, {measured.templates} templates made by {measured.key}", markup=False
    )
    out.print(
        f"{measured.impostor_pairs:,} pairs of different people, the most alike "
        f"{similarity_text(measured.impostor.highest)}"
    )
    if measured.genuine.count:
        out.print(
            f"{measured.genuine.count:,} comparisons of the same person, the least alike "
            f"{similarity_text(measured.genuine.lowest)}"
        )
    if not points:
        out.print(
            f"too few people for any false match rate: the lowest supported is {measured.lowest_fmr:.2g}"
        )
        return
    table = Table(
        "wanted FMR", "threshold", "FMR", "FNMR", "false alarms a camera-day", box=None, pad_edge=False
    )
    for point in points:
        fnmr = "unknown" if point.fnmr is None else f"{point.fnmr:.4f}"
        alarms = f"{point.false_alarms_per_camera_day:.2f}"
        table.add_row(f"{point.wanted_fmr:g}", f"{point.threshold:.4f}", f"{point.fmr:.2e}", fnmr, alarms)
    out.print(table)
