"""Errors of a database's driver become ours, for every engine in the same way."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

from pipeline.errors import PinwatchError


def raise_ours(engine: Engine, meaning: Callable[[BaseException], PinwatchError | None]) -> None:
    """Raise what `meaning` says of an error instead of it; ``None`` leaves the error as it is."""

    @event.listens_for(engine, "handle_error")
    def translate(context: ExceptionContext) -> None:
        ours = meaning(context.original_exception)
        if ours is not None:
            raise ours from context.original_exception
