"""Footage by camera, and how long the disk will last."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.recording.closed import read_record
from audit.recording.layout import epoch_folders, records_in
from pipeline.errors import StorageError

_DAY_S = 86_400.0
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class CameraFootage:
    """What is kept of one camera.

    Attributes:
        camera_id: Which.
        segments: How many.
        size_bytes: Together.
        oldest_ns: When the oldest was captured, or closed where that is unknown.
        last_day_bytes: Of those of the last 24 hours.
    """

    camera_id: str
    segments: int
    size_bytes: int
    oldest_ns: int
    last_day_bytes: int


@dataclass(frozen=True, slots=True)
class _Known:
    camera_id: str
    size_bytes: int
    taken_ns: int


class FootageBook:
    """Remembers what it read: what was recorded never changes, and there may be very much of it.

    Args:
        root: The folder of recordings.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._known: dict[Path, _Known] = {}

    def look(self, now_ns: int) -> list[CameraFootage]:
        """What there is now, by camera."""
        with self._lock:
            there = [path for folder in epoch_folders(self._root) for path in records_in(folder)]
            read = ((path, self._known.get(path) or _read(path)) for path in there)
            self._known = {path: known for path, known in read if known is not None}
            return _by_camera(self._known.values(), now_ns)


def _read(path: Path) -> _Known | None:
    try:
        segment = read_record(path)
    except StorageError:
        return None  # deleted a moment ago, or damaged, which `recordings check` tells
    captured_ns = segment.last_captured_at_ns
    return _Known(
        segment.camera_id, segment.bytes, segment.closed_at_ns if captured_ns is None else captured_ns
    )


def _by_camera(known: Iterable[_Known], now_ns: int) -> list[CameraFootage]:
    cameras: dict[str, list[_Known]] = {}
    for one in known:
        cameras.setdefault(one.camera_id, []).append(one)
    day_ago_ns = now_ns - round(_DAY_S * _NS)
    return [
        CameraFootage(
            camera_id,
            len(own),
            sum(one.size_bytes for one in own),
            min(one.taken_ns for one in own),
            sum(one.size_bytes for one in own if one.taken_ns >= day_ago_ns),
        )
        for camera_id, own in sorted(cameras.items())
    ]


def lasts_days(
    footage: Sequence[CameraFootage],
    limits: Sequence[tuple[float | None, float | None]],
    free_bytes: int,
) -> float | None:
    """For how many days the disk lasts if as much is recorded as in the last 24 hours.

    Args:
        footage: By camera.
        limits: Of each of them: days, and gigabytes (10^9 bytes), ``None`` is no limit.
        free_bytes: That may be used.

    Returns:
        ``None`` where nothing is recorded, or where what retention leaves fits.
    """
    pairs = list(zip(footage, limits, strict=True))
    growing = [
        (one.last_day_bytes, _room(one, *limit))
        for one, limit in pairs
        if one.last_day_bytes > 0 and _room(one, *limit) > 0
    ]
    if not growing or sum(room for _, room in growing) <= free_bytes:
        return None
    return max(0, free_bytes) / sum(rate for rate, _ in growing)


def _room(one: CameraFootage, days: float | None, size_gb: float | None) -> float:
    """By how many bytes it can still grow before retention deletes as much as is recorded."""
    most = min(
        float("inf") if days is None else days * one.last_day_bytes,
        float("inf") if size_gb is None else size_gb * 1e9,
    )
    return max(0.0, most - one.size_bytes)
