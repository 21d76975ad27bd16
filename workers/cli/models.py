"""`pinwatch models`: which models there are, where their files are, and how to get them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table

from workers.cli.common import App, context, err, out, print_json

if TYPE_CHECKING:
    from pipeline.models import Catalogue, FileStatus, ModelCard
    from pipeline.models.pull import Progress as PullProgress

app = App(help="List, fetch and check models.")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="Names of cards.")]

_STYLES = {"ok": "green", "missing": "yellow", "wrong checksum": "red"}


@app.command("list")
def list_(ctx: typer.Context, json: JsonFlag = False) -> None:
    """List every model there is a card for, and whether its files are here.

    Example: `pinwatch models list --json`
    """
    program = context(ctx)
    catalogue, chosen = program.catalogue(), program.model_names()
    if json:
        print_json([_summary(catalogue, card, card.name in chosen) for card in catalogue.cards()])
        return
    table = Table("kind", "name", "used", "files", "licence", box=None, pad_edge=False)
    for card in catalogue.cards():
        used = "yes" if card.name in chosen else ""
        table.add_row(card.kind, card.name, used, _files_text(catalogue.status(card)), card.licence)
    out.print(table)


@app.command("info")
def info(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a card.")],
    json: JsonFlag = False,
) -> None:
    """Show everything on a model's card, and where its files are.

    Example: `pinwatch models info mobilefacenet`
    """
    catalogue = context(ctx).catalogue()
    card = catalogue.named(name)
    if json:
        print_json(_details(catalogue, card))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for label, text in _lines(catalogue, card):
        table.add_row(label, text)
    out.print(table)


@app.command("check")
def check(ctx: typer.Context, names: Names = None, json: JsonFlag = False) -> None:
    """Compare model files with the checksums of their cards; exit code 1 if one is wrong.

    Without names, all models whose files are here. A model that is named must be here.

    Example: `pinwatch models check yunet mobilefacenet`
    """
    catalogue = context(ctx).catalogue()
    cards = [catalogue.named(name) for name in names] if names else catalogue.cards()
    statuses = [(card, status) for card in cards for status in catalogue.status(card)]
    found = [(card, status) for card, status in statuses if names or status.path is not None]
    if json:
        print_json([{"model": card.name, **_status_record(status)} for card, status in found])
    else:
        _print_statuses(found)
    if any(status.state != "ok" for _, status in found):
        raise typer.Exit(1)


@app.command("pull")
def pull(
    ctx: typer.Context,
    names: Names = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="Copy from this folder: no network needed."),
    ] = None,
) -> None:
    """Fetch models into `DATA/models`: resumes what was begun, verifies, then shows the file.

    Without names, the models that the configuration uses.

    Example: `pinwatch models pull mobilefacenet --from /media/usb/models`
    """
    from pipeline.models import pull as pull_card

    program = context(ctx)
    catalogue = program.catalogue()
    destination = program.settings.data / "models"
    for name in names or sorted(program.model_names()):
        card = catalogue.named(name)
        if card.files and catalogue.installed(card):
            out.print(
                f"{card.name}: it is installed with the program; there is nothing to fetch", markup=False
            )
            continue
        with _download_progress() as report:
            paths = pull_card(card, destination, source_dir=source, progress=report)
        for text in map(str, paths) if paths else ["no file is needed"]:
            out.print(f"{card.name}: {text}", markup=False)


def _files_text(statuses: Sequence[FileStatus]) -> str:
    if not statuses:
        return "[green]none needed[/]"
    worst = max((status.state for status in statuses), key=list(_STYLES).index)
    return f"[{_STYLES[worst]}]{worst}[/]"


def _status_record(status: FileStatus) -> dict[str, Any]:
    return {
        "file": status.file.name,
        "state": str(status.state),
        "path": str(status.path) if status.path else None,
        "detail": status.detail,
    }


def _summary(catalogue: Catalogue, card: ModelCard, used: bool) -> dict[str, Any]:
    return {
        "name": card.name,
        "kind": str(card.kind),
        "model_id": card.model_id,
        "used": used,
        "licence": card.licence,
        "files": [_status_record(status) for status in catalogue.status(card)],
    }


def _details(catalogue: Catalogue, card: ModelCard) -> dict[str, Any]:
    from pipeline.models import card_document

    found = [_status_record(status) for status in catalogue.status(card)]
    return {"model_id": card.model_id, **card_document(card), "found": found}


def _lines(catalogue: Catalogue, card: ModelCard) -> Iterator[tuple[str, str]]:
    yield from (("name", card.name), ("id", card.model_id), ("kind", card.kind))
    yield from (("what", card.description), ("licence", card.licence), ("source", card.source))
    if card.input:
        side = f"{card.input.width_px}x{card.input.height_px}" if card.input.width_px else "any size"
        yield "input", f"{side}, {card.input.colour_order}, mean {card.input.mean}, std {card.input.std}"
        if card.input.template:
            yield "template", card.input.template
    if card.dim:
        yield "dimensions", str(card.dim)
    for entry in card.thresholds:
        yield (
            "threshold",
            f"match {entry.match}, margin {entry.margin} behind {entry.purifier}: FMR {entry.fmr:g}, "
            f"FNMR {entry.fnmr:g} ({entry.impostor_pairs:,} impostor pairs, {entry.data})",
        )
        if entry.strangers:
            scores = (f"{one.similarity:.3f} of {one.gallery:,}" for one in entry.strangers)
            yield "", f"{entry.strangers[0].fpir:.0%} of strangers score as much: {', '.join(scores)}"
    for key, value in card.options.items():
        yield key, str(value)
    for status in catalogue.status(card):
        style = _STYLES[status.state]
        yield "file", f"{status.file.name} [{style}]{status.state}[/] {status.path or ''}"
        yield "", f"sha256 {status.file.sha256}"
        elsewhere = f"comes with the package {status.file.package}" if status.file.package else None
        yield "", status.file.url or elsewhere or "no public address is known"


def _print_statuses(found: Sequence[tuple[ModelCard, FileStatus]]) -> None:
    table = Table("model", "file", "state", "where", box=None, pad_edge=False)
    for card, status in found:
        state = f"[{_STYLES[status.state]}]{status.state}[/]"
        table.add_row(card.name, status.file.name, state, str(status.path or ""))
    out.print(table)
    for _, status in found:
        if status.detail:
            err.print(status.detail, markup=False, style="red")


@contextmanager
def _download_progress() -> Iterator[PullProgress]:
    """A bar a file, in bytes, on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def report(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done, total=total)

        yield report
