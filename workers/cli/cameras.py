"""`pinwatch cameras`: the cameras that are watched, kept in the database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from pipeline.errors import UsageError
from workers.cli.common import App, context, out, print_json

if TYPE_CHECKING:
    from workers.build import Context
    from workers.cameras import Camera

app = App(help="Add, list, test and remove cameras.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The camera's name.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ADDRESS_HELP = (
    "rtsp:// or http:// address with user and password if it needs them, or the number of a camera of this "
    "machine; - reads it from standard input, so that the password is in no shell history."
)
POLYGON_HELP = 'corners as shares of the picture, e.g. "0,0 0.5,0 0.5,1 0,1"'


@app.command("add")
def add(
    ctx: typer.Context,
    name: Name,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help=ADDRESS_HELP)],
    transport: Annotated[str, typer.Option(help="tcp or udp, for RTSP.")] = "tcp",
    substream: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="A smaller stream of the same camera: faces are found in it and cut from the main one; "
            "- reads it from standard input, after the address.",
        ),
    ] = None,
    rate_limit: Annotated[
        float | None, typer.Option(metavar="HZ", help="Take at most this many frames a second.")
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(metavar="CORNERS", help=f"Ignore faces outside this area: {POLYGON_HELP}."),
    ] = None,
    mask: Annotated[
        list[str] | None,
        typer.Option(metavar="CORNERS", help=f"Black out this area: {POLYGON_HELP}. May be repeated."),
    ] = None,
    clock_offset: Annotated[
        float, typer.Option(metavar="SECONDS", help="Added to capture times; minus the camera's known delay.")
    ] = 0.0,
    disabled: Annotated[
        bool, typer.Option("--disabled", help="Keep it, but watch it only when it is named.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Change a camera that is there.")] = False,
) -> None:
    """Save a camera under a name.

    Example: `pinwatch cameras add lobby rtsp://USER:PASSWORD@10.0.0.7/main --substream
    rtsp://USER:PASSWORD@10.0.0.7/sub`
    """
    from workers.camera_settings import make_camera

    program = context(ctx)
    settings: dict[str, Any] = {
        "name": name,
        "address": _typed(address),
        "transport": transport,
        "substream": None if substream is None else _typed(substream),
        "rate_limit_hz": rate_limit,
        "region_of_interest": None if region is None else _corners(region),
        "privacy_masks": [_corners(text) for text in mask or ()],
        "clock_offset_s": clock_offset,
        "enabled": not disabled,
    }
    camera = make_camera(settings)
    program.cameras().add(camera, program.clock.now_ns(), replace=replace)
    out.print(f"saved {camera.name}; try it with: pinwatch cameras test {camera.name!r}", markup=False)


@app.command("list")
def list_(ctx: typer.Context, json: JsonFlag = False) -> None:
    """List the saved cameras, without their passwords.

    Example: `pinwatch cameras list --json`
    """
    cameras = context(ctx).cameras().list()
    if json:
        print_json([camera.shown() for camera in cameras])
        return
    table = Table("name", "address", "substream", "watched", "settings", box=None, pad_edge=False)
    for camera in cameras:
        table.add_row(*(escape(text) for text in _row(camera)))
    out.print(table)


@app.command("test")
def try_(
    ctx: typer.Context,
    camera: Annotated[
        str, typer.Argument(metavar="CAMERA", help="Name of a saved camera, an address, or a number.")
    ],
    snapshot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.jpg", help="Where the picture goes; by default <camera>-snapshot.jpg."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long to watch.", min=0, max=600)] = 3.0,
    transport: Annotated[
        str | None, typer.Option(help="tcp or udp, for RTSP; by default as saved, else tcp.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Connect to a camera, say what it sends, and save a picture; privacy masks are applied.

    Example: `pinwatch cameras test lobby --snapshot lobby.jpg`
    """
    from workers.camera_probe import as_record, as_sentence, probe_camera, write_snapshot

    program = context(ctx)
    settings = _resolve(program, camera, transport)
    path = snapshot or Path(f"{settings.name}-snapshot.jpg")
    streams = probe_camera(settings, seconds, program.settings.live, program.clock)
    write_snapshot(path, settings, streams["main"])
    if json:
        records = {stream: as_record(probed) for stream, probed in streams.items()}
        print_json({"camera": settings.name, "snapshot": str(path), **records})
        return
    for stream, probed in streams.items():
        out.print(f"{stream}: {as_sentence(probed)}", markup=False)
    out.print(f"picture: {path}", markup=False)


@app.command("remove")
def remove(ctx: typer.Context, name: Name) -> None:
    """Forget a camera; its sightings stay.

    Example: `pinwatch cameras remove lobby`
    """
    context(ctx).cameras().remove(name)
    out.print(f"removed {name}", markup=False)


@app.command("import")
def import_(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="A list of cameras.")],
    json: JsonFlag = False,
) -> None:
    """Save all cameras of a YAML file: all of them, or none if anything in it is wrong.

    Each has `name` and `address`, and may have `transport`, `substream`, `rate_limit_hz`,
    `region_of_interest`, `privacy_masks`, `clock_offset_s`, `enabled`, `purpose`. Those that are there are
    changed.

    Example: `pinwatch cameras import cameras.yaml`
    """
    from workers.camera_file import read_cameras

    program = context(ctx)
    report = program.cameras().add_all(read_cameras(file), program.clock.now_ns())
    counts = {
        "added": list(report.added),
        "changed": list(report.changed),
        "unchanged": list(report.unchanged),
    }
    if json:
        print_json(counts)
        return
    for kind, names in counts.items():
        if names:
            out.print(f"{kind}: {', '.join(names)}", markup=False)


def _typed(text: str) -> str:
    return sys.stdin.readline().strip() if text == "-" else text


def _corners(text: str) -> list[list[str]]:
    return [corner.split(",") for corner in text.split()]


def _row(camera: Camera) -> list[str]:
    shown = camera.shown()
    extras = [f"{key} {shown[key]}" for key in ("rate_limit_hz", "clock_offset_s") if shown[key]]
    extras += [shown["transport"]] if shown["transport"] != "tcp" else []
    extras += ["region"] if camera.region else []
    extras += [f"{len(camera.privacy_masks)} masks"] if camera.privacy_masks else []
    watched = "yes" if camera.enabled else "no"
    return [camera.name, str(shown["address"]), shown["substream"] or "", watched, ", ".join(extras)]


def _resolve(program: Context, text: str, transport: str | None) -> Camera:
    """The saved camera of that name, or one made up for an address or a number."""
    from pipeline.sources.select import CameraSpec, StreamSpec, UsbSpec, camera_id_of, parse_source
    from workers.camera_settings import make_camera

    store = program.cameras()
    changes = {} if transport is None else {"transport": transport}
    match parse_source(text, store.names()):
        case CameraSpec(name):
            saved = store.get(name)
            return make_camera({**dict(saved), **changes})
        case StreamSpec() | UsbSpec() as spec:
            return make_camera({"name": camera_id_of(spec)[:64], "address": spec, **changes})
        case _:
            raise UsageError(f"{text} is a file or folder; `pinwatch watch {text}` reads it")
