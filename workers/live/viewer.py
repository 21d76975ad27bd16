"""Somebody who watches: their place among the events, and what they have seen of each camera."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.live.events import Event
from workers.live.tiles import WIDTHS, Tile
from workers.live.video import Chunk, Place

if TYPE_CHECKING:
    from workers.live.hub import LiveHub

Sees = Callable[[str], bool]
"""Whether a camera may be seen."""

AT_ONCE = 200
"""Events that are taken together."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What is new for a viewer.

    Attributes:
        events: Of the cameras that they see, in order.
        tiles: The newest picture of each camera that they show and that changed.
        video: More of the video that they play.
        gap: Some events are forgotten: load the state anew. What happens from here on comes as events.
        over: There is nothing more to come.
    """

    events: tuple[Event, ...] = ()
    tiles: tuple[Tile, ...] = ()
    video: Chunk | None = None
    gap: bool = False
    over: bool = False

    def __bool__(self) -> bool:
        return bool(self.events or self.tiles or self.video or self.gap or self.over)


class Viewer:
    """What a socket reads from; :meth:`wake` and :meth:`close` from any thread, all else in its event loop.

    Args:
        hub: Where everything comes from.
        loop: Of the socket.
        sees: Which cameras may be seen.
        after: Number of the last event that they know.
    """

    def __init__(self, hub: LiveHub, loop: asyncio.AbstractEventLoop, sees: Sees, after: int) -> None:
        self._hub, self._loop, self._sees, self._after = hub, loop, sees, after
        self._shown: dict[str, int] = {}
        self._had: dict[str, int] = {}
        self._played: str | None = None
        self._place: Place | None = None
        self._news = asyncio.Event()
        self._woken = False
        self._closed = False

    def show(self, wanted: Mapping[str, int]) -> None:
        """From now on pictures of these cameras, of these widths; those that may not be seen are left out.

        Raises:
            ValueError: there is no such width.
        """
        strange = [width for width in wanted.values() if width not in WIDTHS]
        if strange:
            raise ValueError(f"pictures are {', '.join(map(str, WIDTHS))} px wide, not {strange[0]}")
        before, allowed = self._shown, {name: width for name, width in wanted.items() if self._sees(name)}
        self._shown = allowed
        self._had = {
            name: number for name, number in self._had.items() if before.get(name) == allowed.get(name)
        }
        self._hub.want_anew({**before, **allowed})
        self.wake()

    def allow(self, sees: Sees) -> None:
        """Other cameras may be seen from now on."""
        self._sees = sees
        self.show(self._shown)
        if self._played is not None and not sees(self._played):
            self.play(None)

    def play(self, camera_id: str | None) -> bool:
        """From now on the video of this camera besides the pictures; ``None``: of none.

        Returns whether there is any that may be seen.
        """
        videos = self._hub.videos
        if self._played is not None:
            videos.leave(self._played, self)
        playable = camera_id is not None and self._sees(camera_id) and videos.has(camera_id)
        self._played, self._place = camera_id if playable else None, None
        if self._played is not None:
            videos.play(self._played, self, self.wake)
        return playable

    def shows(self, camera_id: str, width_px: int) -> bool:
        """Whether pictures of that width are wanted."""
        return not self._closed and self._shown.get(camera_id) == width_px

    def shown(self) -> Mapping[str, int]:
        """What is shown, and how wide."""
        return self._shown

    async def take(self, timeout_s: float) -> Taken:
        """What is new, as soon as there is something; nothing after `timeout_s`."""
        deadline_s = self._loop.time() + timeout_s
        while True:
            self._woken = False
            self._news.clear()
            taken = self._look()
            left_s = deadline_s - self._loop.time()
            if taken or left_s <= 0:
                return taken
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._news.wait()

    def _look(self) -> Taken:
        if self._closed:
            return Taken(over=True)
        since = self._hub.events(self._after, AT_ONCE)
        if since.events:
            self._after = since.events[-1].id
        elif since.gap:
            self._after = since.last
        events = tuple(
            event for event in since.events if event.camera_id is None or self._sees(event.camera_id)
        )
        if len(since.events) == AT_ONCE:
            self.wake()
        return Taken(events, self._tiles(), self._video(), since.gap)

    def _video(self) -> Chunk | None:
        if self._played is None:
            return None
        chunk = self._hub.videos.since(self._played, self._place)
        if chunk is not None:
            self._place = chunk.place
        return chunk

    @property
    def played(self) -> str | None:
        """Whose video is played."""
        return self._played

    def _tiles(self) -> tuple[Tile, ...]:
        fresh = []
        for camera_id, width_px in self._shown.items():
            found = self._hub.tile(camera_id, width_px)
            if found is not None and found[0] != self._had.get(camera_id):
                self._had[camera_id] = found[0]
                fresh.append(found[1])
        return tuple(fresh)

    def wake(self) -> None:
        """There is something new; costs next to nothing while the viewer has not looked since."""
        if self._woken:
            return
        self._woken = True
        with contextlib.suppress(RuntimeError):  # the loop has ended, and the viewer with it
            self._loop.call_soon_threadsafe(self._news.set)

    def close(self) -> None:
        """Let go; :meth:`take` says that it is over. Safe twice."""
        self._closed = True
        self.play(None)
        self._hub.leave(self)
        self.wake()

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
