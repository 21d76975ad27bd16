"""`pinwatch doctor`: what is on this machine, and what would run."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from workers.cli.common import App, context, out, print_json
from workers.doctor import Finding, State, examine

MARKS = {State.OK: "[green]ok[/]", State.NOTE: "[yellow]note[/]", State.FAULT: "[red]fault[/]"}

app = App()


def _table(findings: list[Finding]) -> Table:
    table = Table("", "what", "finding", box=None, pad_edge=False)
    for finding in findings:
        table.add_row(MARKS[finding.state], finding.what, finding.text)
    return table


@app.command("doctor")
def doctor(
    ctx: typer.Context, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Check Python, packages, video, models and gallery; exit code 1 if anything would not work.

    Example: `pinwatch doctor --data /srv/pinwatch`
    """
    findings = examine(context(ctx))
    if json:
        print_json([{"state": f.state, "what": f.what, "text": f.text} for f in findings])
    else:
        out.print(_table(findings))
    if any(finding.state is State.FAULT for finding in findings):
        raise typer.Exit(1)
