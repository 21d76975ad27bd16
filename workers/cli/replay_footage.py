"""`pinwatch replay --footage`: tracks decided again from recorded pictures, and where they part."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from audit.replay import Wanted, recorded_decisions
from pipeline.errors import UsageError
from pipeline.types import Sighting
from workers.build import Context
from workers.cli.common import out, print_json, progress
from workers.footage_replay import FootageReport, TrackReplay

TOLERATED = 0.01
"""The share of tracks that may come out otherwise."""


def replay_footage(program: Context, wanted: Wanted, json: bool) -> None:
    """Decide the footage of one run again, and say what came of it.

    Raises:
        UsageError: the ledger has no decision that fits, or of several runs.
        SourceNotFound: there is no footage of it.
        Exit: with 1, if too many tracks come out otherwise.
    """
    from workers.build_audit import footage_replay

    entries = list(recorded_decisions(program.ledger_folder(), wanted))
    runs = sorted({entry.run_id for entry in entries})
    if len(runs) != 1:
        raise UsageError(f"footage is decided again run by run: name one with --run ({_some(runs)})")
    reports = []
    with progress() as bar:
        task = bar.add_task("deciding footage again", total=None)
        for report in footage_replay(program).run(entries, lambda: bar.advance(task)):
            reports.append(report)
            _show(report, json)
    tracks = [track for report in reports for track in report.tracks]
    otherwise = sum(not track.alike for track in tracks)
    if not json:
        _sum_up(tracks)
    if otherwise > TOLERATED * len(tracks):
        raise typer.Exit(1)


def _some(runs: list[str]) -> str:
    return ", ".join(runs[:10]) or "the ledger holds no decision that fits"


def _show(report: FootageReport, json: bool) -> None:
    if json:
        print_json(msgspec.to_builtins(report))
        return
    text = f"{report.camera_id}, epoch {report.stream_epoch}: {report.frames} frames"
    text += f", {report.missing} missing" if report.missing else ""
    text += f", {report.erased} tracks erased since" if report.erased else ""
    out.print(text, markup=False)
    parted = [track for track in report.tracks if not track.identical]
    if parted:
        out.print(_table(parted))


def _table(tracks: Iterable[TrackReplay]) -> Table:
    columns = ("track", "was", "comes out", "same crops", "parts at, s", "what differs")
    table = Table(*columns, box=None, pad_edge=False)
    for track in tracks:
        table.add_row(
            str(track.track_id),
            _said(track.recorded),
            _said(track.derived),
            f"{track.same_crops} of {track.crops}",
            "" if track.differs_from_s is None else f"{track.differs_from_s:.2f}",
            escape(", ".join(track.differences)),
        )
    return table


def _said(sighting: Sighting | None) -> str:
    if sighting is None:
        return "no track"
    return f"{sighting.outcome}" + ("" if sighting.similarity is None else f" {sighting.similarity:.4f}")


def _sum_up(tracks: list[TrackReplay]) -> None:
    same = sum(track.same_crops for track in tracks)
    crops = sum(track.crops for track in tracks)
    out.print(
        f"{len(tracks)} tracks: {sum(track.identical for track in tracks)} identical, "
        f"{sum(track.alike for track in tracks)} decided alike; {same} of {crops} crops with the same pixels"
    )
