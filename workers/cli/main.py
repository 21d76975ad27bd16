"""`pinwatch`: puts the groups of verbs together, and ends every error in one line and an exit code."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from pipeline.errors import PinwatchError
from pipeline.redact import redact
from workers.build import Context
from workers.cli import (
    alerts,
    audit,
    cameras,
    canary,
    config,
    console,
    demo,
    dlq,
    doctor,
    gallery,
    identify,
    models,
    pin,
    recordings,
    replay,
    robustness,
    sightings,
    topics,
    unknowns,
    watch,
    worker,
)
from workers.cli.common import App, context, err, out
from workers.config import LogSettings
from workers.logs import configure

INTERRUPTED = 130

app = App(name="pinwatch", pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(importlib.metadata.version("pinwatch"))
        raise typer.Exit


@app.root()
def root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Name the people in live and recorded video, under attack too, and show afterwards why.

    Example: `pinwatch watch lobby.mp4 --annotate named.mp4`
    """
    context(ctx).activity = ctx.invoked_subcommand or "pinwatch"


app.command("watch")(watch.watch)
app.command("identify")(identify.identify)
app.command("replay")(replay.replay)
app.command("console")(console.console)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.add_typer(gallery.app, name="gallery")
app.add_typer(cameras.app, name="cameras")
app.add_typer(canary.app, name="canary")
app.add_typer(models.app, name="models")
app.add_typer(pin.app, name="pin")
app.add_typer(robustness.app, name="robustness")
app.add_typer(recordings.app, name="recordings")
app.add_typer(worker.app, name="worker")
app.add_typer(topics.app, name="topics")
app.add_typer(dlq.app, name="dlq")
app.command("lag")(dlq.lag)
app.add_typer(audit.app, name="audit")
app.add_typer(sightings.app, name="sightings")
app.add_typer(unknowns.app, name="unknowns")
app.add_typer(alerts.app, name="alerts")
app.add_typer(config.app, name="config")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program; ends the process with 0, 1 (the work failed), 2 (usage or configuration)."""
    configure(LogSettings())
    program = Context(on_settings=lambda settings: configure(settings.log))
    try:
        app(args=arguments, obj=program)
    except PinwatchError as error:
        err.print(f"pinwatch: {redact(str(error))}", markup=False, style="red")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # whoever read our output has seen enough
        sys.stderr.close()
        sys.exit(0)
    finally:
        program.close()
