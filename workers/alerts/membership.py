"""What the engine looks up in the database: who is on which list, and which unknown people are one."""

from __future__ import annotations

from sqlalchemy import Connection, select

from gallery.epochs import at_epoch
from gallery.tables import list_members, sighting_faces, unknown_groups, watch_lists
from pipeline.types import Sighting

_EPOCHS = 8
_CHAIN = 20


class Membership:
    """Who is on which list as of an epoch; the last few epochs are remembered. One thread at a time."""

    def __init__(self) -> None:
        self._known: dict[int, frozenset[tuple[str, str]]] = {}

    def at(self, connection: Connection, epoch: int) -> frozenset[tuple[str, str]]:
        """Pairs of a list's id and a subject's."""
        if epoch not in self._known:
            while len(self._known) >= _EPOCHS:
                del self._known[next(iter(self._known))]
            self._known[epoch] = _members(connection, epoch)
        return self._known[epoch]


def _members(connection: Connection, epoch: int) -> frozenset[tuple[str, str]]:
    """An epoch that has not been yet would be remembered as it is now: decisions carry none such."""
    query = (
        select(list_members.c.list_id, list_members.c.subject_id)
        .join(watch_lists, watch_lists.c.list_id == list_members.c.list_id)
        .where(at_epoch(list_members, epoch), at_epoch(watch_lists, epoch))
    )
    return frozenset((row.list_id, row.subject_id) for row in connection.execute(query))


def group_of(connection: Connection, sighting: Sighting) -> str | None:
    """The group of unknown people that holds the face of a track that has ended."""
    mine = sighting_faces.c.decision_id == sighting.decision_id
    group = connection.execute(select(sighting_faces.c.group_id).where(mine)).scalar()
    for _ in range(_CHAIN):
        where = unknown_groups.c.id == group
        merged = connection.execute(select(unknown_groups.c.merged_into).where(where)).scalar()
        if merged is None:
            break
        group = merged
    return group
