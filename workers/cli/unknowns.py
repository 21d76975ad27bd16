"""`pinwatch unknowns`: groups of people nobody has enrolled, and what is to be done about them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from audit.case import open_case
from audit.enrollable import best_of, photo_of
from audit.unknowns.groups import GroupStore
from audit.unknowns.linkage import Linkage
from audit.unknowns.records import Group, GroupState
from pipeline.errors import UsageError
from pipeline.types import FaceCrop
from workers.build import Context
from workers.cli.common import App, context, err, out, print_json

app = App(help="People nobody has enrolled: groups of tracks that look alike.")

GroupId = Annotated[str, typer.Argument(metavar="GROUP", help="As `pinwatch unknowns list` shows it.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="A JSON line each.")]


@app.command("list")
def list_(
    ctx: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Also those that are ignored or assigned.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    json: JsonFlag = False,
) -> None:
    """List groups of unknown people.

    Example: `pinwatch unknowns list`
    """
    states = tuple(GroupState) if all_ else (GroupState.OPEN,)
    groups = _store(ctx).groups(states, limit=limit)
    if json:
        for group in groups:
            print_json(msgspec.to_builtins(group))
        return
    table = Table("group", "tracks", "last seen", "state", "label", "best seen in", box=None, pad_edge=False)
    for group in groups:
        table.add_row(
            group.id,
            str(group.size),
            group.last_seen_at or "",
            group.state.value,
            escape(group.label or ""),
            group.cover[:12],
        )
    out.print(table)
    err.print(f"{len(groups)} groups")


@app.command("show")
def show(ctx: typer.Context, group: GroupId, json: JsonFlag = False) -> None:
    """Show the tracks of a group, and groups that may be the same person.

    Example: `pinwatch unknowns show 8c9808f6003da831`
    """
    program, store = context(ctx), _store(ctx)
    members = store.members(group)
    if json:
        for member in members:
            print_json(msgspec.to_builtins(member))
        return
    _say(store.group(group))
    table = Table("decision", "camera", "track", "last seen", "quality", "similar", box=None, pad_edge=False)
    for member in members:
        table.add_row(
            member.decision_id,
            escape(member.track.camera_id),
            str(member.track.track_id),
            member.last_seen_at or "",
            f"{member.quality:.2f}",
            "" if member.link is None else f"{member.link:.3f}",
        )
    out.print(table)
    for other, similarity in store.alike(
        group, program.template_key(), Linkage.of(program.thresholds()), limit=3
    ):
        out.print(f"may be the same: {other.id} ({similarity:.3f}, {other.size} tracks)", markup=False)


@app.command("assign")
def assign(
    ctx: typer.Context,
    group: GroupId,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose tracks they are.")],
    photos: Annotated[
        int,
        typer.Option(min=0, max=20, help="Enroll from so many crops; 0 for who is enrolled already."),
    ] = 3,
) -> None:
    """Say who a group is, and enroll them from its best crops.

    Example: `pinwatch unknowns assign 8c9808f6003da831 "Eileen Collins"`
    """
    program, store = context(ctx), _store(ctx)
    if photos:
        _enroll(program, store, group, name, photos)
    store.assign(group, name)
    _say(store.group(group))


@app.command("merge")
def merge(
    ctx: typer.Context,
    group: GroupId,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The group that is the same person.")],
) -> None:
    """Put two groups together; the older one stays.

    Example: `pinwatch unknowns merge 8c9808f6003da831 11d0c7a2b9f30e55`
    """
    store = _store(ctx)
    _say(store.group(store.merge(group, other).group_id))


@app.command("split")
def split(
    ctx: typer.Context,
    group: GroupId,
    decisions: Annotated[list[str], typer.Argument(metavar="DECISION...", help="Tracks of another person.")],
) -> None:
    """Take tracks out of a group into one of their own.

    Example: `pinwatch unknowns split 8c9808f6003da831 43db788553b3679af4d5865141c60c27`
    """
    _say(_store(ctx).split(group, decisions))


@app.command("ignore")
def ignore(ctx: typer.Context, group: GroupId) -> None:
    """Leave a group out of the list; tracks go on joining it.

    Example: `pinwatch unknowns ignore 8c9808f6003da831`
    """
    _say(_store(ctx).ignore(group))


@app.command("reopen")
def reopen(ctx: typer.Context, group: GroupId) -> None:
    """Take back that a group is ignored or assigned.

    Example: `pinwatch unknowns reopen 8c9808f6003da831`
    """
    _say(_store(ctx).reopen(group))


@app.command("label")
def label(
    ctx: typer.Context,
    group: GroupId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to call it; empty for nothing.")],
) -> None:
    """Call a group something, without enrolling anybody.

    Example: `pinwatch unknowns label 8c9808f6003da831 "post, mornings"`
    """
    _say(_store(ctx).label(group, text or None))


def _store(ctx: typer.Context) -> GroupStore:
    program = context(ctx)
    return GroupStore(program.database(), now_ns=program.clock.now_ns)


def _say(group: Group) -> None:
    who = f" {group.subject_id}" if group.subject_id else ""
    name = f" ({group.label})" if group.label else ""
    out.print(f"{group.id}{name}: {group.size} tracks, {group.state}{who}", markup=False)


def _enroll(program: Context, store: GroupStore, group: str, name: str, count: int) -> None:
    """From the best crops of the group's tracks.

    Raises:
        UsageError: none of them can be enrolled.
    """
    crops: list[FaceCrop] = []
    for member in store.members(group):
        crops += open_case(program.ledger_folder(), program.keys(), program.crops(), member.decision_id).crops
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, crop in enumerate(best_of(crops, count)):
            files.append(Path(folder) / f"{group}-{number}.png")
            files[-1].write_bytes(photo_of(crop))
        results = program.enroller().enroll(name, files) if files else []
    for result in results:
        out.print(f"{result.status} {result.photo.name} {result.detail}".rstrip(), markup=False)
    if all(result.refusal for result in results):
        raise UsageError(
            f"no crop of {group} can be enrolled: nothing was assigned; enroll a photograph first"
        )
