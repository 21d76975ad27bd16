"""Between the cameras of a reader and the consoles that watch: who wants what, and what waits for whom."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from workers.live.listeners import WantedChanged, WantedListeners
from workers.live.state import CameraState, CameraStatus
from workers.live.tiles import Tile

Shown = Mapping[str, frozenset[int]]
"""Cameras, and in which widths each is wanted."""


class RelayViewer:
    """What one console asked for and has not taken. Of each camera and width only the newest picture waits.

    Args:
        relay: Where it belongs.
        wake: Called from any thread when there is something to take.
    """

    def __init__(self, relay: TileRelay, wake: Callable[[], None]) -> None:
        self._relay, self.wake = relay, wake
        self.shown: Shown = {}
        self.tiles: dict[tuple[str, int], Tile] = {}
        self.states: dict[str, CameraStatus] = {}

    def show(self, wanted: Shown) -> None:
        """Want these from now on, and nothing else."""
        self._relay.show(self, wanted)

    def take(self) -> tuple[list[CameraStatus], list[Tile]]:
        """What is new since the last time."""
        return self._relay.take(self)

    def close(self) -> None:
        """Want nothing any more; :attr:`wake` is not called again. Safe twice."""
        self._relay.drop(self)


class TileRelay:
    """Takes the place of the hub in a process that has no pages: a reader.

    Memory is bounded by cameras, widths and consoles, however slow a console is.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._viewers: list[RelayViewer] = []
        self._states: dict[str, CameraStatus] = {}
        self._listeners = WantedListeners()

    # For cameras

    def wanted(self, camera_id: str) -> frozenset[int]:
        """In which widths some console wants the camera now."""
        with self._lock:
            return self._wanted(camera_id)

    def on_wanted(self, callback: WantedChanged) -> Callable[[], None]:
        """See :meth:`LiveHub.on_wanted`."""
        return self._listeners.add(callback)

    def publish_tile(self, tile: Tile) -> None:
        """Keep it for whoever wants it; never waits."""
        with self._lock:
            for viewer in self._viewers:
                if _shows(viewer, tile.camera_id, tile.width_px):
                    viewer.tiles[tile.camera_id, tile.width_px] = tile
                    viewer.wake()

    def camera_state(self, camera_id: str, state: CameraState | str, since_ns: int, detail: str = "") -> None:
        """Tell consoles how a camera is; those that come later as well."""
        reported = CameraStatus(camera_id, CameraState(state), since_ns, detail)
        with self._lock:
            before = self._states.get(camera_id)
            if before is not None and (before.state, before.detail) == (reported.state, detail):
                return
            self._states[camera_id] = reported
            for viewer in self._viewers:
                viewer.states[camera_id] = reported
                viewer.wake()

    def forget_camera(self, camera_id: str) -> None:
        """Somebody else reads it now, or nobody."""
        with self._lock:
            self._states.pop(camera_id, None)
            for viewer in self._viewers:
                viewer.states.pop(camera_id, None)

    # For consoles

    def connect(self, wake: Callable[[], None]) -> RelayViewer:
        """A console has come."""
        viewer = RelayViewer(self, wake)
        with self._lock:
            viewer.states = dict(self._states)
            self._viewers.append(viewer)
            viewer.wake()
        return viewer

    @property
    def consoles(self) -> int:
        """How many are there."""
        with self._lock:
            return len(self._viewers)

    def show(self, viewer: RelayViewer, wanted: Shown) -> None:
        """See :meth:`RelayViewer.show`."""
        with self._lock:
            if viewer not in self._viewers:
                return
            before = self._all_wanted()
            viewer.shown = {camera: widths for camera, widths in wanted.items() if widths}
            viewer.tiles = {key: tile for key, tile in viewer.tiles.items() if _shows(viewer, *key)}
            changed = _differing(before, self._all_wanted())
        self._listeners.tell(sorted(changed))

    def take(self, viewer: RelayViewer) -> tuple[list[CameraStatus], list[Tile]]:
        """See :meth:`RelayViewer.take`."""
        with self._lock:
            states, viewer.states = list(viewer.states.values()), {}
            tiles, viewer.tiles = list(viewer.tiles.values()), {}
        return states, tiles

    def drop(self, viewer: RelayViewer) -> None:
        """See :meth:`RelayViewer.close`."""
        with self._lock:
            if viewer not in self._viewers:
                return
            before = self._all_wanted()
            self._viewers.remove(viewer)
            changed = _differing(before, self._all_wanted())
        self._listeners.tell(sorted(changed))

    def _wanted(self, camera_id: str) -> frozenset[int]:
        return frozenset().union(*(viewer.shown.get(camera_id, ()) for viewer in self._viewers))

    def _all_wanted(self) -> Shown:
        cameras = {camera for viewer in self._viewers for camera in viewer.shown}
        return {camera: self._wanted(camera) for camera in cameras}


def _shows(viewer: RelayViewer, camera_id: str, width_px: int) -> bool:
    return width_px in viewer.shown.get(camera_id, ())


def _differing(before: Shown, after: Shown) -> set[str]:
    return {camera for camera in before.keys() | after.keys() if before.get(camera) != after.get(camera)}
