"""Clips that were made lately, in a folder of their own that stays small and goes with the process."""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_FRESH_S = 60.0
"""So long somebody may still be reading what they just asked for."""


@dataclass(slots=True)
class _Made:
    """A clip; `lock` is held while it is being made."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    path: Path | None = None
    used_s: float = 0.0


class ClipCache:
    """Makes each clip once, and forgets those that nobody asked for lately.

    Args:
        monotonic_s: A clock.
        most_bytes: So much is kept; what was asked for within the last minute stays beyond that.
        keep_s: What was not asked for so long goes.
    """

    def __init__(
        self, monotonic_s: Callable[[], float], most_bytes: int = 512 * 2**20, keep_s: float = 600.0
    ) -> None:
        self._now_s, self._most_bytes, self._keep_s = monotonic_s, most_bytes, keep_s
        self._lock = threading.Lock()
        self._clips: dict[str, _Made] = {}
        self._folder: Path | None = None
        self._number = 0

    def get(self, key: str, make: Callable[[Path], object]) -> Path:
        """The clip of that key.

        Args:
            key: Equal for clips that are the same.
            make: Writes it to a path that does not exist yet, ending in ``.mp4``.

        Raises:
            Exception: whatever `make` raises; nothing is kept then.
        """
        with self._lock:
            clip = self._clips.setdefault(key, _Made())
            clip.used_s = self._now_s()
        with clip.lock:
            if clip.path is None or not clip.path.exists():
                clip.path = self._made(make)
            path = clip.path
        self._forget()
        return path

    def close(self) -> None:
        """Delete all of them; safe twice."""
        with self._lock:
            self._clips.clear()
            folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _made(self, make: Callable[[Path], object]) -> Path:
        path = self._fresh_path()
        try:
            make(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def _fresh_path(self) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="pinwatch-clips-"))
                weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            self._number += 1
            return self._folder / f"{self._number}.mp4"

    def _forget(self) -> None:
        """What is over, then the oldest until the rest is small enough."""
        now_s, total = self._now_s(), 0
        with self._lock:
            for key, clip in sorted(self._clips.items(), key=lambda item: -item[1].used_s):
                if clip.lock.locked():
                    continue
                size = _size(clip.path)
                age_s = now_s - clip.used_s
                if age_s > _FRESH_S and (age_s > self._keep_s or total + size > self._most_bytes):
                    del self._clips[key]
                    if clip.path is not None:
                        clip.path.unlink(missing_ok=True)
                else:
                    total += size


def _size(path: Path | None) -> int:
    try:
        return 0 if path is None else path.stat().st_size
    except OSError:
        return 0
