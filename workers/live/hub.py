"""What is seen now, for whoever watches: threads of cameras and steps on one side, sockets on the other.

Whoever watches has no queue here: events lie in one ring, in which everybody has a place of their own, and of
every camera only the newest picture waits. So memory does not depend on how many watch, or how slowly.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any

from workers.live.events import KEPT, EventRing, Since
from workers.live.listeners import WantedChanged, WantedListeners
from workers.live.state import CAMERA, TROUBLE, CameraState, CameraStatus, LiveState, OpenTracks
from workers.live.tiles import WIDTHS, Tile
from workers.live.videos import LiveVideos
from workers.live.viewer import Sees, Viewer


class LiveHub:
    """Takes what is new, and tells whoever watches.

    Args:
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
        kept: How many events are remembered.

    Attributes:
        videos: What cameras send, for whoever plays it.
    """

    def __init__(self, now_ns: Callable[[], int], kept: int = KEPT) -> None:
        self._now_ns = now_ns
        self._lock = threading.RLock()
        self._ring = EventRing(now_ns(), kept)
        self._tracks = OpenTracks()
        self._cameras: dict[str, CameraStatus] = {}
        self._trouble = ""
        self._tiles: dict[tuple[str, int], tuple[int, Tile]] = {}
        self._count = 0
        self._viewers: set[Viewer] = set()
        self._wanted: dict[str, frozenset[int]] = {}
        self._listeners = WantedListeners()
        self._closed = False
        self.videos = LiveVideos()

    # For cameras and steps, from any thread

    def wanted(self, camera_id: str) -> frozenset[int]:
        """The widths (px) in which somebody watches the camera now."""
        return self._wanted.get(camera_id, frozenset())

    def on_wanted(self, callback: WantedChanged) -> Callable[[], None]:
        """Have `callback` told whenever that changes; what is returned ends it."""
        return self._listeners.add(callback)

    def publish_tile(self, tile: Tile) -> None:
        """Show a picture; nobody gets the one before any more."""
        with self._lock:
            if tile.width_px not in self.wanted(tile.camera_id):
                return
            self._count += 1
            self._tiles[tile.camera_id, tile.width_px] = self._count, tile
            waiting = [viewer for viewer in self._viewers if viewer.shows(tile.camera_id, tile.width_px)]
        for viewer in waiting:
            viewer.wake()

    def announce(self, kind: str, camera_id: str | None, body: Mapping[str, Any]) -> int:
        """Tell everybody that something happened; the number of the event."""
        with self._lock:
            event = self._ring.append(kind, camera_id, self._now_ns(), dict(body))
            self._tracks.take(event)
            viewers = list(self._viewers)
        for viewer in viewers:
            viewer.wake()
        return event.id

    def camera_state(self, camera_id: str, state: CameraState | str, since_ns: int, detail: str = "") -> None:
        """Say how a camera is; saying it twice says it once."""
        status = CameraStatus(camera_id, CameraState(state), since_ns, detail)
        with self._lock:
            before = self._cameras.get(camera_id)
            self._cameras[camera_id] = status
            if status.state is not CameraState.LIVE:
                self._drop_tiles(camera_id)
            if before is None or (before.state, before.detail) != (status.state, detail):
                self.announce(CAMERA, camera_id, status.body())

    def forget_camera(self, camera_id: str) -> None:
        """The camera is gone."""
        self.videos.forget(camera_id)
        with self._lock:
            known = self._cameras.pop(camera_id, None)
            self._tracks.forget(camera_id)
            self._drop_tiles(camera_id)
            if known is not None:
                gone = {"state": "removed", "since_ns": self._now_ns(), "detail": ""}
                self.announce(CAMERA, camera_id, gone)

    def trouble(self, text: str) -> None:
        """Say what does not work besides cameras; nothing when everything does. Twice is once."""
        with self._lock:
            if text != self._trouble:
                self._trouble = text
                self.announce(TROUBLE, None, {"text": text})

    def cameras(self) -> list[CameraStatus]:
        """How every camera is, by name."""
        with self._lock:
            return [self._cameras[name] for name in sorted(self._cameras)]

    @property
    def last(self) -> int:
        """Number of the newest event."""
        return self._ring.last

    @property
    def watching(self) -> int:
        """How many viewers there are."""
        return len(self._viewers)

    def close(self) -> None:
        """Send everybody away, now and from now on."""
        with self._lock:
            self._closed = True
            viewers = list(self._viewers)
        for viewer in viewers:
            viewer.close()

    # For viewers

    def connect(self, sees: Sees, after: int | None = None) -> Viewer:
        """Somebody watches from now on; call it in the event loop, and close what it returns.

        Args:
            sees: Which cameras they may see.
            after: Number of the last event that they know; ``None``: they know nothing.
        """
        viewer = Viewer(self, asyncio.get_running_loop(), sees, self._ring.last if after is None else after)
        with self._lock:
            if not self._closed:
                self._viewers.add(viewer)
        if self._closed:
            viewer.close()
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """For :class:`Viewer`."""
        with self._lock:
            self._viewers.discard(viewer)
        self.want_anew(viewer.shown())

    def want_anew(self, cameras: Mapping[str, int]) -> None:
        """For :class:`Viewer`: what it shows of these cameras has changed."""
        changed = []
        with self._lock:
            for camera_id in cameras:
                widths = frozenset(
                    width for width in WIDTHS if any(one.shows(camera_id, width) for one in self._viewers)
                )
                if widths != self._wanted.get(camera_id, frozenset()):
                    self._set_wanted(camera_id, widths)
                    changed.append(camera_id)
        self._listeners.tell(changed)

    def events(self, after: int, limit: int) -> Since:
        """For :class:`Viewer`: what happened since."""
        with self._lock:
            return self._ring.since(after, limit)

    def tile(self, camera_id: str, width_px: int) -> tuple[int, Tile] | None:
        """For :class:`Viewer`: the newest picture, with a number that grows."""
        return self._tiles.get((camera_id, width_px))

    def state(self) -> LiveState:
        """Everything that goes on, and which events are part of that."""
        with self._lock:
            cameras = [self._cameras[name] for name in sorted(self._cameras)]
            tracks = tuple(self._tracks.all())
            return LiveState(self._ring.last, tuple(cameras), tracks, self._trouble)

    def _set_wanted(self, camera_id: str, widths: frozenset[int]) -> None:
        """Keep no picture that nobody watches: the next one to ask wants to see what is now."""
        if widths:
            self._wanted[camera_id] = widths
        else:
            self._wanted.pop(camera_id, None)
        for width in set(WIDTHS) - widths:
            self._tiles.pop((camera_id, width), None)

    def _drop_tiles(self, camera_id: str) -> None:
        for width in WIDTHS:
            self._tiles.pop((camera_id, width), None)
