"""`pinwatch gallery`: who is enrolled."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from pipeline.errors import UsageError
from workers.cli import gallery_calibrate, gallery_upkeep, lists
from workers.cli.common import App, context, err, note_access, out, print_json, progress
from workers.cli.erasing import erase_for_good
from workers.cli.showing import path_text

if TYPE_CHECKING:
    from gallery.enroll import Enrollment, EnrollOptions
    from gallery.importer import ImportReport
    from gallery.records import StoredTemplate
    from gallery.store import GalleryStore

app = App(help="Enroll people, list and remove them, keep watch lists, back up.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The subject's name, or its id.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Lookalike = Annotated[
    bool, typer.Option("--allow-lookalike", help="Enroll faces that look like another subject.")
]
MinQuality = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="Refuse faces of a lower quality, 0..1.", show_default=True)
]


@app.command("enroll")
def enroll(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The subject's name.")],
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="Photographs of the subject.")],
    largest: Annotated[
        bool, typer.Option("--largest", help="Take the largest face where there are several.")
    ] = False,
    allow_lookalike: Lookalike = False,
    min_quality: MinQuality = 0.0,
    json: JsonFlag = False,
) -> None:
    """Enroll photographs of one person.

    Refused, with the reason: no face; a second face larger than half of the largest; a face too poor
    to recognise; almost the same picture as one already enrolled; a face that looks like another
    subject. The exit code is 1 if any was refused. The photographs are kept.

    Example: `pinwatch gallery enroll "Grace Hopper" hopper1.jpg hopper2.jpg`
    """
    enroller = context(ctx).enroller(_options(largest, allow_lookalike, min_quality))
    results = enroller.enroll(name, photos)
    if json:
        print_json([_as_json(result) for result in results])
    else:
        for result in results:
            out.print(_as_text(result), markup=False)
    if any(result.refusal for result in results):
        raise typer.Exit(1)


@app.command("import")
def import_(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Holds one folder of photographs a person.")],
    allow_lookalike: Lookalike = False,
    min_quality: MinQuality = 0.0,
    json: JsonFlag = False,
) -> None:
    """Enroll a folder of people: one folder a person, whose name it bears.

    Of each photograph the largest face is taken, and of several alike the one nearest to the middle; the
    others are reported. It may be stopped at any time and started again:
    what is enrolled already is skipped. What was refused is listed with the reason.

    Example: `pinwatch gallery import people/`
    """
    from gallery.importer import import_items, plan_import

    program = context(ctx)
    plan = plan_import(folder)
    enroller = program.enroller(_options(True, allow_lookalike, min_quality))
    program.store().sweep()
    with progress() as bar:
        task = bar.add_task("enrolling", total=len(plan.items))
        report = import_items(plan, enroller, on_result=lambda _: bar.advance(task))
    _print_report(report, json)
    if not report.subjects:
        raise typer.Exit(1)


@app.command("list")
def list_(ctx: typer.Context, json: JsonFlag = False) -> None:
    """List everybody who is enrolled.

    Example: `pinwatch gallery list`
    """
    program = context(ctx)
    subjects = program.store().subjects()
    note_access(program, "gallery list", [subject.id for subject in subjects])
    if json:
        print_json([asdict(subject) for subject in subjects])
        return
    table = Table("name", "photographs", "since", "id", box=None, pad_edge=False)
    for subject in subjects:
        table.add_row(escape(subject.name), str(subject.templates), subject.created_at[:10], subject.id)
    out.print(table)
    err.print(f"{len(subjects)} subjects")


@app.command("show")
def show(ctx: typer.Context, name: Name, json: JsonFlag = False) -> None:
    """Show what is known of a subject: photographs, their quality, watch lists.

    Example: `pinwatch gallery show "Grace Hopper"`
    """
    program = context(ctx)
    store = program.store()
    subject = store.subject(name)
    note_access(program, "gallery show", [subject.id])
    photos = [_photo(store, template) for template in store.templates(subject.id)]
    lists_of = program.lists().lists_of(subject.id)
    if json:
        print_json({**asdict(subject), "lists": lists_of, "photos": photos})
        return
    out.print(f"{subject.name} ({subject.id}), enrolled since {subject.created_at[:10]}", markup=False)
    out.print(f"watch lists: {', '.join(lists_of) or 'none'}", markup=False)
    table = Table("photograph", "quality", "file", box=None, pad_edge=False)
    for photo in photos:
        table.add_row(escape(photo["original_name"]), f"{photo['quality']:.2f}", escape(photo["file"]))
    out.print(table)


@app.command("remove")
def remove(
    ctx: typer.Context,
    name: Name,
    photo: Annotated[
        str | None,
        typer.Option(metavar="SHA256", help="Only the photograph whose checksum begins like this."),
    ] = None,
    erase: Annotated[
        bool,
        typer.Option("--erase", help="For good: templates, photographs, name, and what was seen of them."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before erasing.")] = False,
) -> None:
    """Recognise a subject no longer, or take one photograph of theirs out.

    What was decided before can still be explained: rows and photographs stay, marked as removed. With
    `--erase` nothing stays but an opaque id: what the ledger holds of them cannot be read by anybody any
    more, and a receipt says which footage still shows them. Works for subjects that were removed before,
    too.

    Example: `pinwatch gallery remove "Grace Hopper" --erase`
    """
    program = context(ctx)
    if erase:
        if photo is not None:
            raise UsageError("--erase takes a whole subject: leave --photo out")
        erase_for_good(program, name, yes)
        return
    store = program.store()
    epoch = store.remove(name) if photo is None else store.remove_photo(name, photo)
    what = name if photo is None else f"a photograph of {name}"
    out.print(f"removed {what} (gallery epoch {epoch})", markup=False)


@app.command("rename")
def rename(
    ctx: typer.Context,
    name: Name,
    new_name: Annotated[str, typer.Argument(metavar="NEW", help="The new name.")],
) -> None:
    """Give a subject another name.

    Example: `pinwatch gallery rename "Grace Murray" "Grace Hopper"`
    """
    context(ctx).store().rename(name, new_name)
    out.print(f"{name} is now {new_name}", markup=False)


app.command("reembed")(gallery_upkeep.reembed)
app.command("export")(gallery_upkeep.export)
app.command("backup")(gallery_upkeep.backup)
app.command("restore")(gallery_upkeep.restore)
app.command("calibrate")(gallery_calibrate.calibrate)
app.add_typer(lists.app, name="lists")
app.command("list-add")(lists.list_add)
app.command("list-remove")(lists.list_remove)


def _options(largest: bool, allow_lookalike: bool, min_quality: float) -> EnrollOptions:
    from gallery.enroll import EnrollOptions

    return EnrollOptions(largest=largest, allow_lookalike=allow_lookalike, min_quality=min_quality)


def _as_json(result: Enrollment) -> dict[str, Any]:
    return {
        "photo": path_text(result.photo),
        "name": result.name,
        "status": result.status.value,
        "reason": None if result.refusal is None else result.refusal.value,
        "detail": result.detail,
        "subject_id": result.subject_id,
    }


def _as_text(result: Enrollment) -> str:
    reason = "" if result.refusal is None else f" ({result.refusal})"
    detail = f": {result.detail}" if result.detail else ""
    return f"{result.status}{reason} {path_text(result.photo)}{detail}"


def _print_report(report: ImportReport, json: bool) -> None:
    """The refusals, then the sums, which a script finds on the last line."""
    told = [*report.notes, *report.refused]
    for result in told:
        if json:
            print_json(_as_json(result))
        else:
            out.print(_as_text(result), markup=False)
    sums = {
        "enrolled": report.enrolled,
        "refused": len(report.refused),
        "skipped": report.skipped,
        "subjects": report.subjects,
    }
    if json:
        print_json(sums)
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in report.refused_by_reason.items())
    out.print(
        f"{report.enrolled} photographs enrolled, {len(report.refused)} refused"
        f"{f' ({reasons})' if reasons else ''}, {report.skipped} enrolled before; {report.subjects} subjects"
    )


def _photo(store: GalleryStore, template: StoredTemplate) -> dict[str, Any]:
    return {
        "sha256": template.photo.sha256,
        "original_name": template.photo.original_name,
        "file": path_text(store.photos.path(template.photo)),
        "quality": round(template.quality, 4),
        "embedder": template.key.model_id,
        "purifier": template.key.purifier_id,
    }
