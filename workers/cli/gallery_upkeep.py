"""`pinwatch gallery reembed|export|backup|restore`: keeping a gallery over the years."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import UsageError
from workers.cli.common import context, err, out, print_json, progress
from workers.cli.showing import path_text

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def reembed(
    ctx: typer.Context,
    force: Annotated[
        bool, typer.Option("--force", help="Make them again even if they are of this embedder already.")
    ] = False,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Drop templates whose photograph is lost or damaged.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Make all templates again from the kept photographs, for the embedder and purifier chosen.

    All or nothing: if it fails or is stopped, the gallery is as it was.

    Example: `pinwatch gallery reembed --embedder mobilefacenet`
    """
    from gallery.reembed import reembed as run

    program = context(ctx)
    with progress() as bar:
        total = sum(subject.templates for subject in program.store().subjects())
        task = bar.add_task("embedding", total=total)
        done = run(
            program.store(),
            program.vision(),
            force=force,
            skip_broken=skip_broken,
            on_template=lambda: bar.advance(task),
        )
    for problem in done.dropped:
        err.print(f"dropped: {problem}", markup=False, style="yellow")
    lists = [found.name for found in program.lists().lists() if found.threshold is not None]
    if done.templates and lists:
        err.print(
            f"watch lists with a threshold of their own, which was meant for the former embedder: "
            f"{', '.join(lists)}; set it again with `pinwatch gallery lists add`",
            markup=False,
            style="yellow",
        )
    if json:
        print_json({"templates": done.templates, "dropped": len(done.dropped), "epoch": done.epoch})
    else:
        out.print(f"{done.templates} templates made by {program.template_key()}", markup=False)


def export(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that does not exist yet.")],
) -> None:
    """Write everybody's photographs and what is known of them to a folder.

    `DIR/people` can be imported again with `pinwatch gallery import`; `DIR/gallery.json` is for programs.

    Example: `pinwatch gallery export gallery-2025-06`
    """
    from gallery.export import export as run

    count = run(context(ctx).store(), folder)
    out.print(f"{count} photographs in {path_text(folder)}", markup=False)


def backup(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup; replaced if it is there.")],
    json: JsonFlag = False,
) -> None:
    """Save the whole database and all photographs in one file, as of one instant, while others work on.

    It holds faces and the addresses of cameras: keep it where only you can read it.

    Example: `pinwatch gallery backup pinwatch-2025-06-01.backup`
    """
    from gallery.backup import backup as run

    report = run(context(ctx).database(), file)
    for sha256 in report.missing:
        err.print(f"photograph {sha256} is lost or damaged, and not in the backup", style="yellow")
    if json:
        print_json(
            {"photos": report.photos, "missing": list(report.missing), "size_bytes": report.size_bytes}
        )
    else:
        size = report.size_bytes / 2**20
        out.print(f"{report.photos} photographs and the database, {size:.1f} MiB", markup=False)
    if report.missing:
        raise typer.Exit(1)


def restore(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `backup` wrote.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace the gallery that is there; it is kept beside.")
    ] = False,
) -> None:
    """Bring a backup back into the data folder, after verifying all of it.

    Example: `pinwatch --data new-folder gallery restore pinwatch-2025-06-01.backup`
    """
    from gallery.restore import restore as run

    settings = context(ctx).settings
    if settings.database is not None:
        raise UsageError(
            "the configuration names a PostgreSQL database, and a backup is a file of ours: unset `database` "
            "to restore it into the data folder"
        )
    folder = settings.data
    count = run(file, folder, force=force)
    out.print(f"restored into {path_text(folder)}: the database and {count} photographs", markup=False)
