"""Whoever has to know of which cameras other pictures are wanted now than before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

WantedChanged = Callable[[str], None]
"""Told a camera of which other pictures are wanted now than before; must return at once."""


class WantedListeners:
    """Told one camera after the other. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: list[WantedChanged] = []

    def add(self, callback: WantedChanged) -> Callable[[], None]:
        """Have `callback` told from now on; what is returned ends it."""
        with self._lock:
            self._callbacks.append(callback)

        def no_more() -> None:
            with self._lock:
                self._callbacks = [one for one in self._callbacks if one is not callback]

        return no_more

    def tell(self, cameras: Iterable[str]) -> None:
        """Of these it has changed; call it without holding a lock."""
        with self._lock:
            callbacks = list(self._callbacks)
        for camera_id in cameras:
            for callback in callbacks:
                callback(camera_id)
