"""`pinwatch worker`: the steps as processes of their own, linked by Kafka."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import UsageError
from workers.build import WatchRequest
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.options import KafkaOptions
from workers.cli.common import App, context, err, needing, out, until_told
from workers.cli.console import serve
from workers.cli.watch import parse_time

if TYPE_CHECKING:
    from workers.assemble_worker import Workers

_ENDING = (signal.SIGINT, signal.SIGTERM)

app = App(
    help="Run one step on Kafka: read, embed, match, record, console. `pinwatch topics create` comes first."
)

JOB = Annotated[
    str | None,
    typer.Option(
        help="Audit job: topics of its own, nothing dropped, this run id. Default: live cameras.",
        metavar="ID",
    ),
]
IDLE = Annotated[
    float | None,
    typer.Option("--until-idle", help="End after so many seconds without a message.", metavar="S", min=1.0),
]


@app.command("read")
def read(
    ctx: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE...",
            help="Recordings of an audit job. None: cameras of the database, shared with others.",
        ),
    ] = None,
    job: JOB = None,
    started_at: Annotated[
        str | None, typer.Option(help="Wall-clock time of a file's first frame, ISO 8601.", metavar="TIME")
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Keep the footage on this machine, in `<data>/recordings`.")
    ] = False,
) -> None:
    """Read cameras or recordings: detect and track faces, and send their crops.

    Live: every reader leases its share of the database's cameras; when one dies, the others take over
    its cameras within 15 seconds. While the broker is away crops wait in a bounded buffer, and capture
    goes on. With `worker.preview_port` consoles see its pictures.

    Example: `pinwatch worker read lobby.mp4 --job case-7`
    """
    workers, stop = _workers(ctx, job), threading.Event()
    if job is None:
        if sources:
            raise UsageError("recordings need --job ID; live cameras come from the database")
        with until_told(stop.set, *_ENDING), needing("console"):
            workers.read_live(stop, record=record)
        return
    if not sources:
        raise UsageError(f"name the recordings of {job}: pinwatch worker read FILE... --job {job}")
    failed = False
    request = WatchRequest(sources=tuple(sources), started_at_ns=parse_time(started_at), record=record)
    for report in workers.read_footage(request):
        out.print(f"{report.camera_id}: {report.frames} frames, {report.faces} faces", markup=False)
        if report.error:
            failed = True
            err.print(f"{report.camera_id}: {report.error}", markup=False, style="red")
    if failed:
        raise typer.Exit(1)


@app.command("embed")
def embed(ctx: typer.Context, job: JOB = None, until_idle: IDLE = None) -> None:
    """Purify and embed crops, in batches across all cameras.

    As many as you like share the work, up to the number of partitions.

    Example: `pinwatch worker embed --purifier pinwatch-pin`
    """
    stop = threading.Event()
    with until_told(stop.set, *_ENDING):
        _workers(ctx, job, until_idle).embed(stop)


@app.command("match")
def match(
    ctx: typer.Context,
    job: JOB = None,
    sightings: Annotated[
        Path | None, typer.Option(help="Also write one JSON line a track.", metavar="FILE.jsonl")
    ] = None,
    until_idle: IDLE = None,
) -> None:
    """Match embeddings against the gallery, decide, and keep the decisions.

    Enrollments are seen within two seconds. As many as you like share the work.

    Example: `pinwatch worker match --sightings out.jsonl`
    """
    stop = threading.Event()
    with until_told(stop.set, *_ENDING):
        _workers(ctx, job, until_idle).match(stop, sightings)


@app.command("record")
def record_(ctx: typer.Context) -> None:
    """Look after the footage of this machine, and after what is kept of unknown people.

    Readers write it (`pinwatch worker read --record`). This one closes what a crashed reader left, deletes
    what is older or more than `recording.*` allows, and makes unreadable what `audit.keep_unknown_days`
    says, every hour.

    Example: `pinwatch worker record`
    """
    stop = threading.Event()
    with until_told(stop.set, *_ENDING):
        _workers(ctx, None).record(stop)


@app.command("console")
def console_(
    ctx: typer.Context,
    host: Annotated[
        str | None, typer.Option(help="Where to listen (console.host, 127.0.0.1).", metavar="HOST")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="On which port (console.port, 8080).", metavar="PORT", min=1, max=65535)
    ] = None,
) -> None:
    """Serve the console over what workers on Kafka see: the same pages, with no cameras of its own.

    Decisions come from the broker, pictures from readers with a `worker.preview_port`. As many as you like
    stand side by side, behind one proxy; users, sessions and alerts are in the database.

    Example: `pinwatch worker console --port 8080`
    """
    program = context(ctx)
    settings = program.settings.console
    at_host, at_port = host or settings.host, port or settings.port
    with needing("kafka"), needing("console"):
        from workers.console.on_kafka.work import on_kafka
        from workers.console.wiring import console_of

        made = on_kafka(program, console_of(program, at_host, at_port))
    serve(made, at_host, at_port)


def lane_of(ctx: typer.Context, job: str | None) -> tuple[KafkaOptions, Lane]:
    """The broker of the configuration, and the lane that `--job` names on it."""
    options = context(ctx).settings.kafka
    return options, Lane(options.prefix, job)


def _workers(ctx: typer.Context, job: str | None, idle_s: float | None = None) -> Workers:
    with needing("kafka"):
        from workers.assemble_worker import Place, Workers

        return Workers(context(ctx), Place(job, idle_s))
