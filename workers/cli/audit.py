"""`pinwatch audit`: verify the ledger, show a decision, keep a checkpoint elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from audit.case import Case, open_case
from audit.ledger.checkpoints import export_checkpoint, read_exported
from audit.ledger.entries import Kind
from audit.ledger.folder import FOLDER, LedgerFolder
from audit.ledger.reader import records
from audit.ledger.signing import Verifier
from audit.page import page, rows_of, utc
from audit.verification import verify_folder
from pipeline.errors import StorageError, UsageError
from workers.cli.common import App, context, err, note_access, out, print_json

app = App(help="Prove what was decided: verify, show a decision, keep a checkpoint elsewhere.")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_SHOWN = 20


@app.command("verify")
def verify(
    ctx: typer.Context,
    public_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The ledger's public key, as it was kept elsewhere.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A checkpoint that was kept elsewhere.")
    ] = None,
    footage: Annotated[bool, typer.Option(help="Read all footage as well.")] = True,
    json: JsonFlag = False,
) -> None:
    """Verify the ledger: every record, every signature, and the crops that it tells of.

    Works on a data folder or on a copy of its `ledger` and `crops` (name it with `--data`), without any key
    but the public one. A key and a checkpoint that were kept elsewhere prove more than those beside the
    ledger: whoever can write the data folder could have signed another ledger. Ends with 1 if anything is
    not what was written.

    Example: `pinwatch audit verify --public-key kept/public.pem --checkpoint kept/checkpoint.json`
    """
    data = context(ctx).settings.data
    folder = LedgerFolder(data / FOLDER)
    _must_exist(folder)
    verifier = Verifier.read(public_key or folder.public_key)
    kept = read_exported(checkpoint) if checkpoint else None
    report = verify_folder(data, folder, verifier, kept, footage=footage)
    if json:
        print_json(
            {
                "holds": report.holds,
                "chains": report.chains,
                "records": report.records,
                "checkpoints": report.checkpoints,
                "problems": [
                    {"chain": each.chain, "record": each.record, "what": each.what}
                    for each in report.problems
                ],
                "notes": report.notes,
            }
        )
    else:
        for problem in report.problems[:_SHOWN]:
            err.print(str(problem), markup=False, style="red")
        if len(report.problems) > _SHOWN:
            err.print(f"… and {len(report.problems) - _SHOWN} more; --json has all")
        for note in report.notes:
            err.print(f"note: {note}", markup=False)
        counts = f"{report.records} records in {report.chains} chains, {report.checkpoints} checkpoints"
        verdict = "the ledger holds" if report.holds else f"{len(report.problems)} problems"
        out.print(f"{counts}: {verdict}", markup=False)
    if not report.holds:
        raise typer.Exit(1)


@app.command("show")
def show(
    ctx: typer.Context,
    decision: Annotated[
        str | None, typer.Argument(metavar="DECISION", help="The id of a decision, or how it begins.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a page with the pictures.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Show what a decision was made of; without an id, which runs the ledger knows.

    That somebody looked is recorded.

    Example: `pinwatch audit show 43db788553b3 --html decision.html`
    """
    program = context(ctx)
    folder = program.ledger_folder()
    _must_exist(folder)
    if decision is None:
        _show_runs(folder)
        return
    case = open_case(folder, program.keys(), program.crops(), decision)
    concerned = [] if case.content is None else [subject_id for subject_id, _ in case.content.neighbours]
    note_access(program, f"decision {case.entry.decision_id}", concerned)
    names = program.store().names(concerned)
    if html is not None:
        _write_page(case, names, html)
    if json:
        print_json(case.as_json())
    else:
        _print_case(case, names)


@app.command("checkpoint")
def checkpoint(
    ctx: typer.Context,
    target: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write it.")],
) -> None:
    """Write the newest checkpoint and the public key, for somebody else to keep.

    Whoever has them can show that nothing recorded until now was changed or cut off. The public key is
    written beside it, with the ending `.pem`.

    Example: `pinwatch audit checkpoint --out /mnt/elsewhere/checkpoint.json`
    """
    folder = context(ctx).ledger_folder()
    _must_exist(folder)
    exported = export_checkpoint(folder, Verifier.read(folder.public_key))
    try:
        target.write_bytes(exported + b"\n")
        target.with_suffix(".pem").write_bytes(folder.public_key.read_bytes())
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error.strerror}") from error
    out.print(f"written: {target} and {target.with_suffix('.pem').name}", markup=False)


@app.command("export")
def export(
    ctx: typer.Context,
    decisions: Annotated[
        list[str], typer.Argument(metavar="DECISION...", help="Ids of decisions, or how they begin.")
    ],
    case: Annotated[str, typer.Option(metavar="NAME", help="What the case is called.")],
    target: Annotated[Path, typer.Option("--out", metavar="FILE.zip", help="Where to write it.")],
    footage: Annotated[bool, typer.Option(help="Take the footage along that shows them.")] = True,
) -> None:
    """Export a case for somebody outside: decisions, crops, footage, the ledger, and a verifier.

    Whoever gets it can verify it without Pinwatch (`verify.py` in it). It holds the keys of the exported
    tracks, and of nobody else's. That it was made is recorded.

    Example: `pinwatch audit export 43db788553b3 --case theft-12 --out theft-12.zip`
    """
    from audit.export.case_export import CaseExporter
    from audit.recording.library import Recordings

    program = context(ctx)
    folder = program.ledger_folder()
    _must_exist(folder)
    note_access(program, f"export of case {case}: {', '.join(decisions)}", ["-"])
    if program.settings.audit.ledger:
        program.ledger().checkpoint()
    exporter = CaseExporter(
        folder,
        program.keys(),
        program.crops(),
        Recordings(program.settings.data),
        names=program.store().names,
        clock=program.clock,
    )
    done = exporter.export(case, decisions, target, footage=footage)
    out.print(
        f"{target}: {done.decisions} decisions, {done.crops} crops, {done.segments} segments of footage, "
        f"{done.size_bytes / 1e6:.1f} MB",
        markup=False,
    )


def _must_exist(folder: LedgerFolder) -> None:
    if not folder.exists():
        raise UsageError(f"there is no ledger in {folder.root}: name the data folder with --data")


def _show_runs(folder: LedgerFolder) -> None:
    table = Table(
        "run", "activity", "began", "detector, embedder, purifier", "chain", box=None, pad_edge=False
    )
    for record in records(folder, {Kind.SESSION}):
        fields = record.entry.fields
        models = ", ".join(str(model) for model in fields.get("models", {}).values())
        table.add_row(
            escape(str(fields.get("run_id"))),
            escape(str(fields.get("activity"))),
            utc(record.entry.at_ns),
            escape(models),
            record.chain,
        )
    out.print(table)


def _write_page(case: Case, names: dict[str, str], target: Path) -> None:
    try:
        target.write_text(page(case, names), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error.strerror}") from error
    err.print(f"written: {target}", markup=False)


def _print_case(case: Case, names: dict[str, str]) -> None:
    for title, rows in rows_of(case, names):
        out.print(title, style="bold", markup=False)
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
        for name, value in rows.items():
            if value:
                table.add_row(escape(name), escape(value))
        out.print(table)
