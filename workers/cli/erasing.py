"""Asks before a subject is erased, and prints the receipt."""

from __future__ import annotations

import typer
from rich.markup import escape
from rich.table import Table

from audit.erase import Receipt
from pipeline.errors import UsageError
from workers.build import Context
from workers.cli.common import err, out
from workers.who import on_the_command_line


def erase_for_good(program: Context, name: str, yes: bool) -> None:
    """Erase somebody, once whoever asks is sure.

    Raises:
        UsageError: nobody was there to be asked, or they said no.
        SubjectNotFound: nobody is, or was, enrolled so.
    """
    if not yes:
        if not err.is_terminal:
            raise UsageError(f"erasing {name} cannot be undone: say --yes where nobody can be asked")
        if not typer.confirm(f"Erase {name} for good? This cannot be undone", err=True):
            raise UsageError("nothing was erased")
    _print(program.eraser().erase(name, on_the_command_line()))


def _print(receipt: Receipt) -> None:
    rows = {
        "erased": receipt.subject_id,
        "at": receipt.erased_at,
        "gallery epoch": str(receipt.gallery_epoch),
        "templates": str(receipt.templates),
        "photographs": str(receipt.photographs),
        "decisions": str(receipt.sightings),
        "tracks whose crops and records cannot be read any more": str(receipt.tracks),
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in rows.items():
        table.add_row(name, escape(value))
    out.print(table)
    if receipt.footage:
        footage = Table("footage that still shows them", "captured", box=None, pad_edge=False)
        for segment in receipt.footage:
            footage.add_row(escape(segment.file), segment.captured or "")
        out.print(footage)
    for note in receipt.notes:
        out.print(f"note: {note}", markup=False)
