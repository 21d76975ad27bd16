"""What all verbs share: the consoles, the options that every verb takes, and how errors end."""

from __future__ import annotations

import functools
import inspect
import json
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.errors import UsageError
from workers.build import Context

SHARED = "Options of every verb"

_SHARED_OPTIONS: dict[str, Any] = {
    "data": Annotated[
        Path | None,
        typer.Option(help="Folder of all state (PINWATCH_DATA).", metavar="DIR", rich_help_panel=SHARED),
    ],
    "config": Annotated[
        Path | None,
        typer.Option(help="Configuration file (PINWATCH_CONFIG).", metavar="FILE", rich_help_panel=SHARED),
    ],
    "detector": Annotated[
        str | None, typer.Option(help="Detector, by card name.", metavar="CARD", rich_help_panel=SHARED)
    ],
    "embedder": Annotated[
        str | None, typer.Option(help="Embedder, by card name.", metavar="CARD", rich_help_panel=SHARED)
    ],
    "purifier": Annotated[
        str | None,
        typer.Option(help="Purifier, by card name, or none.", metavar="CARD", rich_help_panel=SHARED),
    ],
}

Verb = Callable[..., Any]


def _with_shared_options(function: Verb) -> Verb:
    """The same verb, taking the shared options too and handing them to the context."""
    signature = inspect.signature(function, eval_str=True)
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in _SHARED_OPTIONS.items()
        if name not in signature.parameters
    ]

    @functools.wraps(function)
    def verb(ctx: typer.Context, **options: Any) -> Any:
        given = {parameter.name: options.pop(parameter.name) for parameter in shared}
        ctx.obj.override(**{name: value for name, value in given.items() if value is not None})
        return function(ctx, **options)

    parameters = [*signature.parameters.values(), *shared]
    vars(verb)["__signature__"] = signature.replace(parameters=parameters)
    verb.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return verb


class App(typer.Typer):
    """A group of verbs. Each takes ``ctx: typer.Context`` first, and `ctx.obj` is a :class:`Context`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(no_args_is_help=True, rich_markup_mode="markdown", **options)

    def command(  # type: ignore[override]
        self, name: str | None = None, **options: Any
    ) -> Callable[[Verb], Verb]:
        """Add a verb that takes the shared options besides its own."""
        register = super().command(name, **options)

        def decorate(function: Verb) -> Verb:
            register(_with_shared_options(function))
            return function

        return decorate

    def root(self) -> Callable[[Verb], Verb]:
        """The program itself: takes the shared options before the verb as well."""
        register = super().callback()

        def decorate(function: Verb) -> Verb:
            register(_with_shared_options(function))
            return function

        return decorate


FILE_WIDTH = 200
"""Columns of a table that goes to a file or a pipe, where nothing says how wide the reader's screen is."""

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else FILE_WIDTH)
"""Results: standard output."""

err = Console(stderr=True, highlight=False, soft_wrap=True)
"""Everything else: progress, warnings, errors."""


def print_json(value: object) -> None:
    """One JSON value on one line of standard output, untouched by colours or wrapping."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def progress(*extra: TextColumn, transient: bool = True) -> Progress:
    """A progress bar on standard error; silent where that is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *extra,
        TimeRemainingColumn(),
        console=err,
        transient=transient,
        disable=not err.is_terminal,
    )


def context(ctx: typer.Context) -> Context:
    """The composition root of this invocation."""
    if not isinstance(ctx.obj, Context):
        raise TypeError("the command line was not started through workers.cli.main")
    return ctx.obj


def note_access(program: Context, what: str, subject_ids: Collection[str]) -> None:
    """Record that somebody looked at people's data; nobody's is nothing to record."""
    recorder = program.recorder()
    if recorder is not None and subject_ids:
        recorder.accessed(what, subject_ids)


@contextmanager
def until_told(stop: Callable[[], None], *signals: signal.Signals) -> Iterator[None]:
    """Within, each of `signals` calls `stop`: what is under way is finished first.

    Only the main thread may ask for that; in another one nothing is asked.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: stop()) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def needing(extra: str) -> Iterator[None]:
    """Within, a package that is not installed is an error that names the extra which brings it.

    Raises:
        UsageError: with the command that installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(
            f"this needs the package {error.name}, which is not installed: pip install 'pinwatch[{extra}]'"
        ) from error
