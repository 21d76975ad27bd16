"""The video of all cameras, for whoever plays it: as the camera sends it, beside the pictures of the hub."""

from __future__ import annotations

import threading
from collections.abc import Callable

from workers.live.video import Chunk, Place, VideoRing, VideoTap

Wake = Callable[[], None]
"""Told of every picture; must return at once."""


class LiveVideos:
    """A ring for every camera whose video may be shown. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rings: dict[str, VideoRing] = {}
        self._shown: frozenset[str] = frozenset()
        self._players: dict[str, dict[object, Wake]] = {}

    def tap(self, camera_id: str) -> VideoTap:
        """What the packets of a camera that is opened are to be shown to."""
        with self._lock:
            ring = self._anew(camera_id)
            self._shown |= {camera_id}
        return VideoTap(
            camera_id,
            ring,
            wanted=lambda: bool(self._players.get(camera_id)),
            news=lambda: self._wake(camera_id),
        )

    def has(self, camera_id: str) -> bool:
        """Whether the camera's video may be shown."""
        return camera_id in self._shown

    def forget(self, camera_id: str) -> None:
        """The camera's video may not be shown any more, until it is tapped again."""
        with self._lock:
            self._anew(camera_id)
            self._shown -= {camera_id}

    def _anew(self, camera_id: str) -> VideoRing:
        """A ring that no tap from before writes into; its streams are numbered on."""
        before = self._rings.get(camera_id)
        ring = self._rings[camera_id] = VideoRing(stream=0 if before is None else before.stream)
        return ring

    def play(self, camera_id: str, player: object, wake: Wake) -> None:
        """Somebody plays it from now on."""
        with self._lock:
            self._players = {**self._players, camera_id: {**self._players.get(camera_id, {}), player: wake}}

    def leave(self, camera_id: str, player: object) -> None:
        """They do not any more."""
        with self._lock:
            others = {
                one: wake for one, wake in self._players.get(camera_id, {}).items() if one is not player
            }
            self._players = {**self._players, camera_id: others}

    def since(self, camera_id: str, place: Place | None) -> Chunk | None:
        """What a player at `place` has not seen; see :meth:`VideoRing.since`."""
        ring = self._rings.get(camera_id)
        return None if ring is None else ring.since(place)

    def _wake(self, camera_id: str) -> None:
        for wake in self._players.get(camera_id, {}).values():
            wake()
