"""`pinwatch config`: what is in force, and whether a file is right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from workers.cli.common import App, context, out, print_json
from workers.config import load_settings

app = App(help="Show and check the configuration.")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _plain(value: Any) -> Any:
    """The same settings in what YAML and JSON can write."""
    if isinstance(value, dict):
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(child) for child in value]
    return str(value) if isinstance(value, Path) else value


@app.command("show")
def show(ctx: typer.Context, json: JsonFlag = False) -> None:
    """Print every key with the value in force: file, environment and command line together.

    Example: `pinwatch config show > pinwatch.yaml`
    """
    settings = _plain(context(ctx).settings.model_dump(mode="json"))
    if json:
        print_json(settings)
    else:
        typer.echo(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), nl=False)


@app.command("check")
def check(
    ctx: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="The file; default: the one in force.")] = None,
) -> None:
    """Say whether a configuration file is right; exit code 2 and the dotted key if not.

    Example: `pinwatch config check pinwatch.yaml`
    """
    chosen = file or context(ctx).config_file
    load_settings(chosen, {})
    out.print(f"{chosen or 'the built-in configuration'}: all keys and values are fine", markup=False)
