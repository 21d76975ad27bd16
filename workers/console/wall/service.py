"""What the wall's pages, API and socket share: which cameras there are, and a picture of each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.concurrency import run_in_threadpool

from pipeline.errors import UsageError
from workers.console.access.principal import Principal
from workers.console.access.record import RecordAccess
from workers.console.wall.people import NamedEvents
from workers.live.hub import LiveHub
from workers.live.state import CameraStatus
from workers.live.tiles import Tile
from workers.names import Names

SOCKETS_PER_USER = 20
STILL_WITHIN_S = 3.0


class TooManyWalls(UsageError):
    """A user holds as many sockets open as one may."""


class Wall:
    """Everything live.

    Args:
        hub: Where it comes from.
        names: Of subjects.
        record: Told who looked.
    """

    def __init__(self, hub: LiveHub, names: Names, record: RecordAccess) -> None:
        self.hub, self._names, self._record = hub, names, record
        self._open: dict[str, int] = {}

    def cameras(self, principal: Principal) -> list[CameraStatus]:
        """How the cameras are that the user sees."""
        return [status for status in self.hub.cameras() if principal.sees(status.camera_id)]

    async def still(self, principal: Principal, camera_id: str, width_px: int) -> Tile | None:
        """The next picture of a camera; ``None`` where there is no such camera for this user, or no picture.

        Raises:
            PinwatchError: it cannot be recorded, and so is not shown.
        """
        if not principal.sees(camera_id) or camera_id not in {one.camera_id for one in self.hub.cameras()}:
            return None
        await run_in_threadpool(self._record, principal.who, f"picture of camera {camera_id} shown", ())
        with self.hub.connect(principal.sees) as viewer:
            viewer.show({camera_id: width_px})
            deadline_s = time.monotonic() + STILL_WITHIN_S
            while (left_s := deadline_s - time.monotonic()) > 0:
                taken = await viewer.take(left_s)
                if taken.tiles:
                    return taken.tiles[0]
                if taken.over:
                    break
        return None

    def events_for(self, principal: Principal) -> NamedEvents:
        """A session begins to watch.

        Raises:
            PinwatchError: it cannot be recorded, and so must not begin.
        """
        self._record(principal.who, "live wall opened", ())
        return NamedEvents(self._names, self._record)

    @contextmanager
    def place(self, principal: Principal) -> Iterator[None]:
        """One of the sockets that a user may hold open; in the event loop only.

        Raises:
            TooManyWalls: there are too many.
        """
        user_id = principal.user_id
        if self._open.get(user_id, 0) >= SOCKETS_PER_USER:
            raise TooManyWalls(f"{principal.name} has {SOCKETS_PER_USER} walls open already: close one")
        self._open[user_id] = self._open.get(user_id, 0) + 1
        try:
            yield
        finally:
            self._open[user_id] -= 1
            if not self._open[user_id]:
                del self._open[user_id]
