"""A broker for benchmarks: the one that was named, or one of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def servers_of(named: str | None) -> Iterator[str]:
    """Where it listens; without a name one is started, for which Java and Maven must be there."""
    if named:
        yield named
        return
    from tests.kafka.broker import running

    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "broker") as broker:
        yield broker.servers
