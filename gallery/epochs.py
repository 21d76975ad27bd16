"""The gallery epoch: one counter, raised by every change that decisions can depend on.

A sequence would hand out numbers that commit out of order, and whoever polls for "newer than 7"
would miss a late 6. One row, locked by whoever changes the gallery until the commit, cannot.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, or_, select, update

from gallery.tables import gallery_epoch
from pipeline.errors import GalleryCorrupt


def current_epoch(connection: Connection) -> int:
    """The epoch of this transaction's view."""
    return _only_value(connection.execute(select(gallery_epoch.c.value)).scalars().all())


def lock_epoch(connection: Connection) -> int:
    """Wait until nobody else changes the gallery, then the epoch as it is now.

    SQLite's write transactions exclude each other from their beginning; elsewhere the row is locked.
    """
    return _only_value(connection.execute(select(gallery_epoch.c.value).with_for_update()).scalars().all())


def raise_epoch(connection: Connection) -> int:
    """The new epoch, in which this transaction's changes happen."""
    raised = update(gallery_epoch).values(value=gallery_epoch.c.value + 1).returning(gallery_epoch.c.value)
    return _only_value(connection.execute(raised).scalars().all())


def at_epoch(table: FromClause, epoch: int | None) -> ColumnElement[bool]:
    """Which rows were there at `epoch`; ``None`` means now."""
    added, removed = table.c.epoch_added, table.c.epoch_removed
    if epoch is None:
        return removed.is_(None)
    return (added <= epoch) & or_(removed.is_(None), removed > epoch)


def _only_value(values: Any) -> int:
    if len(values) != 1:
        raise GalleryCorrupt(
            f"the gallery has {len(values)} epoch counters instead of one: bring back a backup with "
            "`pinwatch gallery restore FILE --force`"
        )
    return int(values[0])
