"""Work that goes on beside the pages, as long as they are served."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Protocol


class Beside(Protocol):
    """Works in threads or processes of its own from `start` to `close`, which may come without a `start`."""

    def start(self) -> None: ...
    def close(self) -> None: ...


@contextmanager
def working(parts: Sequence[Beside]) -> Iterator[None]:
    """Within, all of them work; they end in the opposite order, also after an error."""
    with ExitStack() as running:
        for part in parts:
            running.callback(part.close)
            part.start()
        yield
