"""`pinwatch canary`: people whose faces are attacked to see what the defence is worth."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from pipeline.errors import GalleryBusy, PinwatchError, UsageError
from workers.canary.records import RunState
from workers.cli.common import App, context, note_access, out, print_json

if TYPE_CHECKING:
    from workers.canary.numbers import Line
    from workers.canary.records import Canary
    from workers.canary.watchdog import Watchdog
    from workers.config import Settings

app = App(
    help="The robustness gauge: faces of people who agreed to it are attacked, and what is left counted."
)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Who = Annotated[str, typer.Argument(metavar="NAME", help="Name or id.")]


@app.command("add")
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the person.")],
    photos: Annotated[
        list[Path],
        typer.Argument(
            metavar="PHOTO...", help="Two or more; the first half is enrolled, the others are attacked."
        ),
    ],
    *,
    consent: Annotated[str, typer.Option(metavar="TEXT", help="What they agreed to, in their words.")],
    until: Annotated[
        str, typer.Option(metavar="DATE", help="Day after which all of it is deleted, e.g. 2026-12-31.")
    ],
    json: JsonFlag = False,
) -> None:
    """Take in somebody who agreed to it. Of each photograph only the cut face is kept, in no gallery.

    Example: `pinwatch canary add "Grace Hopper" g1.jpg g2.jpg --consent "I agree to ..." --until 2026-12-31`
    """
    from gallery.photo import read_bytes
    from workers.canary.consent import make_consent
    from workers.canary.door import Given, cut_photos
    from workers.canary.store import CanaryStore
    from workers.who import on_the_command_line

    program = context(ctx)
    agreed = make_consent(consent, on_the_command_line(), program.clock.now_ns(), _day(until))
    cut = cut_photos([Given(str(path), read_bytes(path)) for path in photos], program.vision())
    added = CanaryStore(program.database(), program.clock.now_ns).add(name, agreed, cut)
    note_access(program, f"canary taken in until {agreed.until}", [added.id])
    if json:
        print_json(asdict(added))
        return
    out.print(f"{added.name} is a canary until {agreed.until[:10]}: {_counts(added)}", markup=False)


@app.command("list")
def list_(ctx: typer.Context, json: JsonFlag = False) -> None:
    """List who lets their face be attacked.

    Example: `pinwatch canary list --json`
    """
    from workers.canary.store import CanaryStore

    program = context(ctx)
    found = CanaryStore(program.database(), program.clock.now_ns).all()
    note_access(program, "canaries listed", [canary.id for canary in found])
    if json:
        print_json([asdict(canary) for canary in found])
        return
    table = Table("name", "faces", "until", "taken down by", "id", box=None, pad_edge=False)
    for canary in found:
        row = (canary.name, _counts(canary), canary.consent.until[:10], canary.consent.taken_by, canary.id)
        table.add_row(*(escape(text) for text in row))
    out.print(table)


@app.command("remove")
def remove(ctx: typer.Context, name: Who) -> None:
    """Delete somebody and all their faces, at once and for good.

    Example: `pinwatch canary remove "Grace Hopper"`
    """
    from workers.canary.store import CanaryStore

    program = context(ctx)
    store = CanaryStore(program.database(), program.clock.now_ns)
    found = store.get(name)
    note_access(program, "canary removed", [found.id])
    store.remove(found.id)
    out.print(f"deleted {found.name}", markup=False)


@app.command("run")
def run(
    ctx: typer.Context,
    budget: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="How long it may attack (canary.budget_s).", min=0.1),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Measure now, in a process of its own at the lowest priority; then show the numbers.

    Example: `pinwatch canary run --budget 60`
    """
    from workers.canary.process import ShadowProcess, done_by
    from workers.canary.runs import RunStore
    from workers.canary.shadow import watchdog_of
    from workers.canary.store import CanaryStore
    from workers.who import on_the_command_line

    program = context(ctx)
    gone = CanaryStore(program.database(), program.clock.now_ns).expire()
    note_access(program, "canaries deleted: their consent is over", gone)
    runs = RunStore(program.database(), program.clock.now_ns)
    settings = _with_budget(program.settings, budget)
    ended = done_by(ShadowProcess(settings), runs, settings.canary, on_the_command_line(), every_s=0)
    if ended is None:
        raise GalleryBusy("another measurement is running: wait until it has ended")
    if ended.state is not RunState.DONE:
        raise PinwatchError(f"the measurement came to nothing: {ended.reason}")
    watchdog = watchdog_of(program, runs)
    watchdog.judge()
    _show(watchdog, json)


def _with_budget(settings: Settings, budget_s: float | None) -> Settings:
    if budget_s is None:
        return settings
    canary = settings.canary.model_copy(update={"budget_s": budget_s})
    return settings.model_copy(update={"canary": canary})


@app.command("show")
def show(ctx: typer.Context, json: JsonFlag = False) -> None:
    """Show what the defence is worth now: of the last day (canary.window_hours).

    Example: `pinwatch canary show --json`
    """
    from workers.canary.runs import RunStore
    from workers.canary.shadow import watchdog_of

    program = context(ctx)
    _show(watchdog_of(program, RunStore(program.database(), program.clock.now_ns)), json)


def _show(watchdog: Watchdog, as_json: bool) -> None:
    now, alarms = watchdog.now(), watchdog.given()
    lines = [] if now.numbers is None else [_record(line) for line in now.numbers.lines]
    circumstances = None if now.newest is None else now.newest.circumstances
    if as_json:
        of = None if circumstances is None else asdict(circumstances)
        given = [asdict(alarm) for alarm in alarms]
        print_json({"runs": now.runs, "circumstances": of, "results": lines, "alarms": given})
        return
    for alarm in alarms:
        out.print(f"ALARM since {alarm.since}: {alarm.detail}", markup=False, style="bold red")
    if not lines or circumstances is None:
        out.print("nothing was measured lately: `pinwatch canary run` measures")
        return
    out.print(_table(lines))
    out.print(
        f"{now.runs} runs, the newest of {circumstances.probed} of {circumstances.probes} faces in "
        f"{circumstances.seconds:.0f} s; {circumstances.distractors} people of the gallery (epoch "
        f"{circumstances.gallery_epoch}) as distractors; {circumstances.embedder} behind "
        f"{circumstances.purifier}",
        markup=False,
    )


def _table(lines: list[dict[str, Any]]) -> Table:
    table = Table(
        *("who attacks", "attack", "eps", "goal", "purifier", "right", "95 % interval", "n"),
        *("wrong names", "suspected"),
        box=None,
        pad_edge=False,
    )
    for line in lines:
        between = f"{line['low']:.2f} to {line['high']:.2f}"
        suspected = "" if line["suspected"] is None else str(line["suspected"])
        table.add_row(
            *(line["threat_model"], escape(line["attack"]), f"{line['eps_255']:g}/255", line["goal"]),
            *("yes" if line["purified"] else "no", f"{line['right']:.2f}", between, str(line["n"])),
            *(str(line["false_names"]), suspected),
        )
    return table


def _record(line: Line) -> dict[str, Any]:
    what, interval = line.condition, line.correct.interval
    return {
        "threat_model": what.threat_model.value,
        "attack": what.attack,
        "eps_255": what.eps_255,
        "goal": what.goal,
        "purified": what.purified,
        "right": line.correct.value,
        "low": interval.low,
        "high": interval.high,
        "n": line.correct.n,
        "false_names": line.false_names.count,
        "suspected": None if line.suspected is None else line.suspected.count,
    }


def _counts(canary: Canary) -> str:
    return f"{len(canary.photos) - canary.probes} enrolled, {canary.probes} probes"


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--until: {text!r} is not a day: write it like 2026-12-31") from None
