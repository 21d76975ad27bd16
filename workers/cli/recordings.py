"""`pinwatch recordings`: the footage that `--record` keeps: list, check, hold, let go, hand over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from gallery.times import utc_text_from_ns
from workers.cli import holds
from workers.cli.common import App, context, err, out, print_json, progress
from workers.cli.holds import TIME_HELP, to_ns

if TYPE_CHECKING:
    from audit.recording.closed import ClosedSegment
    from audit.recording.holds import Hold

app = App(help="Recorded footage: list, check, hold, delete what is old, export.")
app.add_typer(holds.app, name="hold")

CameraOption = Annotated[str | None, typer.Option(help="Only of this camera.", metavar="CAMERA")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_MB = 1e6


@app.command("list")
def list_(
    ctx: typer.Context,
    camera: CameraOption = None,
    since: Annotated[
        str | None, typer.Option(help=f"Captured at this time or later: {TIME_HELP}.", metavar="TIME")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Captured before this time.", metavar="TIME")] = None,
    json: JsonFlag = False,
) -> None:
    """List the segments of footage that are closed; what is being written now is not among them.

    Footage of files whose time of day nobody said (`--started-at`) is left out where times are asked for.

    Example: `pinwatch recordings list --camera lobby --since 2026-01-31T08:00Z`
    """
    kept = context(ctx).recording()
    segments = kept.recordings.segments(camera, _ns(since), _ns(until))
    held = kept.holds.list()
    if json:
        print_json([_record(segment, held) for segment in segments])
        return
    table = Table(
        *("camera", "epoch", "from", "to", "s", "frames", "MB", "codec", ""), box=None, pad_edge=False
    )
    for segment in segments:
        table.add_row(*(escape(text) for text in _row(segment, held)))
    if segments:
        out.print(table)
    size = sum(segment.bytes for segment in segments)
    out.print(f"{len(segments)} segments, {size / _MB:.1f} MB")


@app.command("check")
def check(ctx: typer.Context, camera: CameraOption = None) -> None:
    """Compare all footage with the checksums that were taken when it was recorded.

    What a crash left open is closed first, with all that can be played.

    Example: `pinwatch recordings check`
    """
    from audit.recording.verifying import verify_all

    kept = context(ctx).recording()
    closed, total = kept.recover(), kept.recordings.count(camera)
    if closed:
        out.print(f"{len(closed)} segments were cut off by a crash; closed them")
    lost = kept.left_over(camera)
    for path in lost:
        text = f"the footage {path} has no index that can be read: bring back a backup"
        err.print(text, markup=False, style="red")
    found = len(lost)
    with progress() as bar:
        task = bar.add_task("checking", total=total)
        for problem in verify_all(kept.recordings, camera, seen=lambda _: bar.advance(task)):
            found += 1
            err.print(problem.text, markup=False, style="red")
    result = f"{found} are not as they were" if found else "all are as they were"
    out.print(f"{total + len(lost)} segments checked: {result}")
    if found:
        raise typer.Exit(1)


@app.command("retain")
def retain(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Delete the footage that is older or more than the settings `recording.…` want, but for what is held.

    Whoever records does this at the start and every hour.

    Example: `pinwatch recordings retain --dry-run`
    """
    kept = context(ctx).recording()
    removed = kept.excess() if dry_run else kept.retain()
    table = Table("camera", "epoch", "from", "to", "MB", "because of", box=None, pad_edge=False)
    for one in removed:
        segment = one.segment
        times = _span(segment)
        size = f"{segment.bytes / _MB:.1f}"
        table.add_row(escape(segment.camera_id), str(segment.stream_epoch), *times, size, one.cause.value)
    if removed:
        out.print(table)
    freed = sum(one.segment.bytes for one in removed) / _MB
    out.print(f"{len(removed)} segments{' would be' if dry_run else ''} deleted, {freed:.1f} MB")


@app.command("export")
def export_(
    ctx: typer.Context,
    camera: Annotated[str, typer.Option(help="Whose footage.", metavar="CAMERA")],
    from_: Annotated[str, typer.Option("--from", help=f"From when: {TIME_HELP}.", metavar="TIME")],
    to: Annotated[str, typer.Option("--to", help="Until when.", metavar="TIME")],
    out_: Annotated[
        Path, typer.Option("--out", help="The file; .mkv takes every codec.", metavar="FILE.mp4")
    ],
) -> None:
    """Write the footage of a stretch of time into one file, as it was recorded: nothing is encoded anew.

    It begins and ends at key frames, so that it holds a little more than was asked for.

    Example: `pinwatch recordings export --camera lobby --from 2026-01-31T08:00Z --to 2026-01-31T08:05Z
    --out lobby.mp4`
    """
    from audit.recording.exporting import export

    kept = context(ctx).recording()
    done = export(kept.recordings, camera, to_ns(from_), to_ns(to), out_)
    first, last = utc_text_from_ns(done.first_captured_at_ns), utc_text_from_ns(done.last_captured_at_ns)
    out.print(f"{done.path}: {done.frames} frames from {first} to {last}", markup=False)
    for begins_ns, ends_ns in done.gaps_ns:
        out.print(f"nothing was recorded from {utc_text_from_ns(begins_ns)} to {utc_text_from_ns(ends_ns)}")


def _ns(text: str | None) -> int | None:
    return None if text is None else to_ns(text)


def _time(ns: int | None) -> str:
    return "" if ns is None else utc_text_from_ns(ns)


def _span(segment: ClosedSegment) -> tuple[str, str]:
    """When it was captured; where nobody knows, its seconds since the epoch began."""
    if segment.first_captured_at_ns is None:
        return f"{segment.first_pts_ns / 1e9:.2f} s", f"{segment.last_pts_ns / 1e9:.2f} s"
    return _time(segment.first_captured_at_ns), _time(segment.last_captured_at_ns)


def _row(segment: ClosedSegment, held: Sequence[Hold]) -> list[str]:
    length_s = (segment.last_pts_ns - segment.first_pts_ns) / 1e9
    notes = [*(["held"] if _is_held(segment, held) else []), *(["cut off"] if segment.recovered else [])]
    sizes = [f"{length_s:.1f}", str(segment.frames), f"{segment.bytes / _MB:.1f}", segment.codec]
    return [segment.camera_id, str(segment.stream_epoch), *_span(segment), *sizes, ", ".join(notes)]


def _record(segment: ClosedSegment, held: Sequence[Hold]) -> dict[str, Any]:
    return {
        "camera": segment.camera_id,
        "stream_epoch": segment.stream_epoch,
        "first_pts_ns": segment.first_pts_ns,
        "last_pts_ns": segment.last_pts_ns,
        "first_captured_at": _time(segment.first_captured_at_ns) or None,
        "last_captured_at": _time(segment.last_captured_at_ns) or None,
        "frames": segment.frames,
        "packets": segment.packets,
        "bytes": segment.bytes,
        "codec": segment.codec,
        "sha256": segment.media_sha256,
        "cut_off": segment.recovered,
        "held": _is_held(segment, held),
        "file": str(segment.path),
    }


def _is_held(segment: ClosedSegment, held: Sequence[Hold]) -> bool:
    return any(one.covers(segment) for one in held)
