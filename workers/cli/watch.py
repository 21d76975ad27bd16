"""`pinwatch watch`: names the people in videos and cameras."""

from __future__ import annotations

import datetime as dt
import signal
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipeline.errors import UsageError
from pipeline.types import Frame, Outcome, Sighting, TrackedFace
from workers.build import Context, WatchRequest
from workers.cli.common import context, err, out, print_json, until_told
from workers.session import Hooks, Session, SessionResult
from workers.sighting import as_record

MAX_ROWS = 200
STYLES = {
    Outcome.KNOWN: "green",
    Outcome.UNKNOWN: "yellow",
    Outcome.AMBIGUOUS: "magenta",
    Outcome.LOW_QUALITY: "dim",
    Outcome.SUSPECTED_ATTACK: "bold red",
}


def watch(
    ctx: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE...",
            help="Video file, folder of images, rtsp:// address, camera index, a camera of the database, or "
            "recorded:CAMERA for kept footage of one. "
            "None: all cameras of the database.",
        ),
    ] = None,
    sightings: Annotated[
        Path | None, typer.Option(help="Write one JSON line a track.", metavar="FILE.jsonl")
    ] = None,
    annotate: Annotated[
        Path | None, typer.Option(help="Write the video with names drawn in (H.264).", metavar="FILE.mp4")
    ] = None,
    crops: Annotated[
        Path | None, typer.Option(help="Write the face crops that were compared.", metavar="DIR")
    ] = None,
    realtime: Annotated[bool, typer.Option(help="Play files at their own pace.")] = False,
    run_id: Annotated[
        str | None, typer.Option(help="Names this run; the same id gives the same decision ids.")
    ] = None,
    started_at: Annotated[
        str | None, typer.Option(help="Wall-clock time of a file's first frame, ISO 8601.", metavar="TIME")
    ] = None,
    image_rate: Annotated[float, typer.Option(help="Images a second of a folder.", min=0.01)] = 1.0,
    record: Annotated[
        bool, typer.Option("--record", help="Keep the footage, so that it can be looked at again.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the sightings as JSON lines.")] = False,
) -> None:
    """Watch videos, folders of images or cameras, and say who was seen.

    One sighting a track: `known`, `unknown`, `ambiguous`, `low_quality`, or behind a purifier
    `suspected_attack`. Files run as fast as the
    machine allows and never lose a frame; cameras drop what is stale, and count it. Ctrl-C ends
    cleanly, with everything written.

    Example: `pinwatch watch lobby.mp4 --sightings out.jsonl --annotate named.mp4`
    """
    request = WatchRequest(
        sources=tuple(sources or ()),
        sightings=sightings,
        annotate=annotate,
        crops=crops,
        realtime=realtime,
        run_id=run_id,
        started_at_ns=parse_time(started_at),
        image_rate_hz=image_rate,
        record=record,
    )
    result = run_watch(context(ctx), request)
    if json:
        for sighting in result.sightings:
            print_json(as_record(sighting, result.names))
    else:
        show(result)
    if any(report.error for report in result.reports):
        raise typer.Exit(1)


def parse_time(text: str | None) -> int | None:
    """What `--started-at` says, nanoseconds since 1970 UTC."""
    if text is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--started-at {text!r} is not ISO 8601, e.g. 2026-01-31T08:00:00+01:00") from None
    if moment.tzinfo is None:
        moment = moment.astimezone()
    return round(moment.timestamp() * 1e9)


def run_watch(context: Context, request: WatchRequest) -> SessionResult:
    """Run a session with progress on the terminal; Ctrl-C and SIGTERM end it cleanly."""
    with ExitStack() as stack:
        bars = stack.enter_context(_Bars(context.settings.log.level))
        session = stack.enter_context(context.session(request, Hooks(bars.on_frame, bars.on_drawn)))
        bars.expect(session)
        # As service managers send it; Ctrl-C is for the session itself, which also knows of a second one.
        stack.enter_context(until_told(session.stop, signal.SIGTERM))
        return session.run()


class _Bars:
    """A bar for every source: frames done, frames a second, faces."""

    def __init__(self, log_level: str) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}{task.fields[of]} frames"),
            TextColumn("{task.fields[fps]}"),
            TextColumn("{task.fields[faces]} faces"),
            TimeRemainingColumn(),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._faces: dict[str, int] = {}

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def expect(self, session: Session) -> None:
        for camera_id, total in session.expected.items():
            self._tasks[camera_id] = self._progress.add_task(
                escape(camera_id), total=total, of=f"/{total}" if total else "", fps="", faces=0
            )

    def on_frame(self, frame: Frame, tracked: Sequence[TrackedFace]) -> None:
        task = self._tasks[frame.camera_id]
        self._faces[frame.camera_id] = self._faces.get(frame.camera_id, 0) + len(tracked)
        speed = self._progress.tasks[task].speed
        fps = f"{speed:.0f} fps" if speed else ""
        self._progress.update(task, advance=1, faces=self._faces[frame.camera_id], fps=fps)

    def on_drawn(self, camera_id: str, frames: int) -> None:
        task = self._tasks[camera_id]
        self._progress.update(task, description=f"{escape(camera_id)}, drawing", completed=frames)


def show(result: SessionResult) -> None:
    """The table of sightings, and a line on what was read, on standard output."""
    shown = result.sightings[:MAX_ROWS]
    if shown:
        out.print(sightings_table(result, len({s.camera_id for s in shown}) > 1))
    if len(result.sightings) > len(shown):
        out.print(f"… and {len(result.sightings) - len(shown)} more; --sightings FILE.jsonl keeps all")
    for report in result.reports:
        dropped = ", ".join(f"{cause} {count}" for cause, count in sorted(report.dropped_by_cause.items()))
        text = f"{report.camera_id}: {report.frames} frames, {report.faces} faces"
        out.print(text + (f"; dropped: {dropped}" if dropped else ""), markup=False)
        if report.error:
            err.print(f"{report.camera_id}: {report.error}", markup=False, style="red")
    counts = ", ".join(f"{count} {outcome}" for outcome, count in result.counts.items() if count)
    out.print(f"{sum(result.counts.values())} tracks: {counts or 'nobody was seen'}", markup=False)


def sightings_table(result: SessionResult, with_camera: bool) -> Table:
    shown = result.sightings[:MAX_ROWS]
    attacked = any(sighting.outcome is Outcome.SUSPECTED_ATTACK for sighting in shown)
    columns = ["track", "outcome", "who", "similarity", "seen, s", "frames"]
    columns = [*(["camera"] if with_camera else []), *columns, *(["attack evidence"] if attacked else [])]
    table = Table(*columns, box=None, pad_edge=False)
    for sighting in shown:
        row = [
            str(sighting.track_id),
            f"[{STYLES[sighting.outcome]}]{sighting.outcome.value}[/]",
            _who(sighting, result.names),
            "" if sighting.similarity is None else f"{sighting.similarity:.3f}",
            f"{sighting.first_seen_s:.2f} to {sighting.last_seen_s:.2f}",
            str(sighting.frames),
        ]
        camera = [escape(sighting.camera_id)] if with_camera else []
        table.add_row(*camera, *row, *([_evidence(sighting)] if attacked else []))
    return table


def _evidence(sighting: Sighting) -> str:
    return "" if sighting.attack_evidence is None else f"{sighting.attack_evidence:.3f}"


def _who(sighting: Sighting, names: Mapping[str, str]) -> str:
    """The name of a known subject; of anybody else the nearest, as what it is."""
    name = escape(names.get(sighting.candidate_id or "", ""))
    if sighting.outcome is Outcome.KNOWN or not name:
        return name
    return f"[dim]nearest: {name}[/]"
