"""`pinwatch gallery lists`: watch lists and who is on them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from workers.cli.common import App, context, out, print_json

if TYPE_CHECKING:
    from datetime import datetime

    from gallery.lists import Member, WatchList

app = App(help="Make watch lists and show them.")

ListName = Annotated[str, typer.Argument(metavar="LIST", help="The list's name.")]
Subjects = Annotated[list[str], typer.Argument(metavar="NAME...", help="Subjects, by name or id.")]
Expires = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Until when: 2025-12-31 or 2025-12-31T18:00Z; otherwise for ever."),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("add")
def add(
    ctx: typer.Context,
    name: ListName,
    purpose: Annotated[str, typer.Option(help="Why these people are looked for.")] = "",
    priority: Annotated[int, typer.Option(help="The higher, the more urgent.")] = 0,
    owner: Annotated[str, typer.Option(help="Who answers for the list.")] = "",
    threshold: Annotated[
        float | None, typer.Option(metavar="SIMILARITY", help="Match threshold for its members, -1..1.")
    ] = None,
    expires: Expires = None,
    json: JsonFlag = False,
) -> None:
    """Make a watch list, or set all options of the one of that name anew; its members stay.

    Example: `pinwatch gallery lists add banned --purpose "thefts of May" --owner security --priority 5`
    """
    made = (
        context(ctx)
        .lists()
        .add(
            name,
            purpose=purpose,
            priority=priority,
            owner=owner,
            threshold=threshold,
            expires_at=_time(expires),
        )
    )
    if json:
        print_json(asdict(made))
    else:
        out.print(f"watch list {made.name}: {made.members} members", markup=False)


@app.command("show")
def show(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="LIST", help="One list, with its members.")] = None,
    json: JsonFlag = False,
) -> None:
    """Show all watch lists, or one with its members.

    Example: `pinwatch gallery lists show banned`
    """
    lists = context(ctx).lists()
    if name is None:
        found = lists.lists()
        if json:
            print_json([asdict(one) for one in found])
        else:
            _print_lists(found)
        return
    shown, members = lists.show(name)
    if json:
        print_json({**asdict(shown), "members": [asdict(member) for member in members]})
    else:
        _print_lists([shown])
        _print_members(members)


def list_add(ctx: typer.Context, name: ListName, subjects: Subjects, expires: Expires = None) -> None:
    """Put subjects on a watch list, or change until when they are on it.

    Example: `pinwatch gallery list-add banned "John Doe" --expires 2025-12-31`
    """
    until = _time(expires)
    for subject in subjects:
        context(ctx).lists().put(name, subject, until)
        out.print(f"{subject} is on {name}", markup=False)


def list_remove(ctx: typer.Context, name: ListName, subjects: Subjects) -> None:
    """Take subjects off a watch list; they stay enrolled.

    Example: `pinwatch gallery list-remove banned "John Doe"`
    """
    for subject in subjects:
        context(ctx).lists().take_off(name, subject)
        out.print(f"{subject} is no longer on {name}", markup=False)


def _time(text: str | None) -> datetime | None:
    from gallery.times import parse_time

    return None if text is None else parse_time(text)


def _print_lists(lists: list[WatchList]) -> None:
    columns = ("list", "members", "priority", "threshold", "until", "owner", "purpose")
    table = Table(*columns, box=None, pad_edge=False)
    for one in lists:
        table.add_row(
            escape(one.name),
            str(one.members),
            str(one.priority),
            "" if one.threshold is None else f"{one.threshold:.3f}",
            one.expires_at or "",
            escape(one.owner),
            escape(one.purpose),
        )
    out.print(table)


def _print_members(members: list[Member]) -> None:
    table = Table("subject", "until", "id", box=None, pad_edge=False)
    for member in members:
        table.add_row(escape(member.name), member.expires_at or "", member.subject_id)
    out.print(table)
