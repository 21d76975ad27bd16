"""`pinwatch recordings hold`: footage that must stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from gallery.times import parse_time, utc_text_from_ns
from workers.cli.common import App, context, out, print_json

if TYPE_CHECKING:
    from audit.recording.holds import Hold

app = App(help="Footage that must stay: add, list, release.")

TIME_HELP = "ISO 8601 with a zone, or a date (UTC)"


def to_ns(text: str) -> int:
    """What somebody typed as a time, nanoseconds since 1970 UTC.

    Raises:
        UsageError: it is no such time.
    """
    return round(parse_time(text).timestamp() * 1e6) * 1000


@app.command("add")
def add_hold(
    ctx: typer.Context,
    from_: Annotated[str, typer.Option("--from", help=f"From when: {TIME_HELP}.", metavar="TIME")],
    to: Annotated[str, typer.Option("--to", help="Until when, included.", metavar="TIME")],
    reason: Annotated[str, typer.Option(help="Why it must stay.", metavar="TEXT")],
    by: Annotated[str, typer.Option(help="Who says so.", metavar="NAME")],
    camera: Annotated[
        str | None, typer.Option(help="Of this camera; default: all.", metavar="CAMERA")
    ] = None,
) -> None:
    """Keep the footage of a stretch of time, whatever the limits say, until the hold is released.

    Example: `pinwatch recordings hold add --camera lobby --from 2026-01-31 --to 2026-02-01
    --reason "case 7" --by Ada`
    """
    added = (
        context(ctx)
        .recording()
        .holds.add(camera=camera, from_ns=to_ns(from_), to_ns=to_ns(to), reason=reason, by=by)
    )
    out.print(f"hold {added.id} is in force", markup=False)


@app.command("list")
def list_holds(
    ctx: typer.Context, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """List all holds, the oldest first.

    Example: `pinwatch recordings hold list`
    """
    holds = context(ctx).recording().holds.list()
    if json:
        print_json([_record(one) for one in holds])
        return
    table = Table("id", "camera", "from", "to", "by", "since", "reason", box=None, pad_edge=False)
    for one in holds:
        shown = _record(one)
        row = (one.id, one.camera_id or "all", shown["from"], shown["to"], one.by, shown["at"], one.reason)
        table.add_row(*(escape(text) for text in row))
    if holds:
        out.print(table)
    out.print(f"{len(holds)} holds")


@app.command("release")
def release_hold(
    ctx: typer.Context,
    hold_id: Annotated[
        str, typer.Argument(metavar="ID", help="As `pinwatch recordings hold list` shows it.")
    ],
) -> None:
    """Let a hold go: its footage may be deleted from now on.

    Example: `pinwatch recordings hold release 1f3a5c7e`
    """
    gone = context(ctx).recording().holds.release(hold_id)
    out.print(f"released {gone.id} ({gone.reason})", markup=False)


def _record(one: Hold) -> dict[str, Any]:
    return {
        "id": one.id,
        "camera": one.camera_id,
        "from": utc_text_from_ns(one.from_ns),
        "to": utc_text_from_ns(one.to_ns),
        "reason": one.reason,
        "by": one.by,
        "at": utc_text_from_ns(one.at_ns),
    }
