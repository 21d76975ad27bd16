"""Deleting footage that is older, or more, than somebody wants to keep."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from audit.recording.closed import ClosedSegment
from audit.recording.holds import Hold, Holds
from audit.recording.layout import epoch_folders
from audit.recording.library import Recordings
from gallery.photo_files import sync
from pipeline.errors import StorageError
from pipeline.sources.timeline import NS


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How much footage of a camera is kept; ``None`` is no limit.

    Attributes:
        max_age_s: Since it was captured, or closed where that is unknown.
        max_bytes: On the disk.
    """

    max_age_s: float | None = None
    max_bytes: int | None = None

    def __post_init__(self) -> None:
        if any(limit is not None and limit < 0 for limit in (self.max_age_s, self.max_bytes)):
            raise ValueError(f"limits of retention must not be negative: {self}")


class Cause(enum.StrEnum):
    """Why a segment was deleted."""

    AGE = "age"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Removed:
    """A segment that was deleted.

    Attributes:
        segment: Which.
        cause: Why.
    """

    segment: ClosedSegment
    cause: Cause


OnRemoved = Callable[[Removed], None]


def plan_retention(
    recordings: Recordings,
    default: RetentionPolicy,
    by_camera: Mapping[str, RetentionPolicy],
    held: Sequence[Hold],
    *,
    now_ns: int,
) -> Iterator[Removed]:
    """What :func:`apply_retention` would delete now under the holds `held`, in its order."""
    for camera, segments in _by_camera(recordings.segments()).items():
        yield from _too_much(segments, by_camera.get(camera, default), held, now_ns)


def apply_retention(
    recordings: Recordings,
    default: RetentionPolicy,
    by_camera: Mapping[str, RetentionPolicy],
    holds: Holds,
    *,
    now_ns: int,
    on_removed: OnRemoved = lambda removed: None,
) -> list[Removed]:
    """Delete closed segments that are too old or too many, the oldest first, but none under a hold.

    What is held counts towards `max_bytes`, so that others make room for it. Open segments are let be. A
    crash in the middle leaves at worst a JSON without its footage, which the next call deletes.

    Args:
        recordings: Where.
        default: For cameras that `by_camera` does not name.
        by_camera: For others.
        holds: What must stay; nobody can add any meanwhile.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
        on_removed: Told of every segment right before its files go, so that none is ever missing of which
            nobody knows why; if it raises, that segment stays.

    Returns:
        What was deleted, and why.

    Raises:
        StorageError: the holds cannot be read (nothing was deleted then), or a file cannot be deleted.
    """
    with holds.locked() as held:
        removed = list(plan_retention(recordings, default, by_camera, held, now_ns=now_ns))
        for one in removed:
            on_removed(one)
            _delete(one.segment)
        _remove_empty_epochs(recordings, {one.segment.camera_id for one in removed})
    return removed


def _by_camera(segments: Sequence[ClosedSegment]) -> dict[str, list[ClosedSegment]]:
    """The segments of each camera, the oldest first."""
    cameras: dict[str, list[ClosedSegment]] = {}
    for segment in segments:
        cameras.setdefault(segment.camera_id, []).append(segment)
    return {camera: sorted(own, key=_age_key) for camera, own in cameras.items()}


def _age_key(segment: ClosedSegment) -> tuple[int, int, int]:
    return (_taken_ns(segment), segment.stream_epoch, segment.first_pts_ns)


def _taken_ns(segment: ClosedSegment) -> int:
    captured_ns = segment.last_captured_at_ns
    return segment.closed_at_ns if captured_ns is None else captured_ns


def _too_much(
    segments: Sequence[ClosedSegment], policy: RetentionPolicy, held: Sequence[Hold], now_ns: int
) -> list[Removed]:
    removed = []
    total = sum(segment.bytes for segment in segments)
    for segment in segments:
        too_old = policy.max_age_s is not None and now_ns - _taken_ns(segment) > policy.max_age_s * NS
        too_many = policy.max_bytes is not None and total > policy.max_bytes
        if (too_old or too_many) and not any(hold.covers(segment) for hold in held):
            removed.append(Removed(segment, Cause.AGE if too_old else Cause.BYTES))
            total -= segment.bytes
    return removed


def _delete(segment: ClosedSegment) -> None:
    paths = segment.paths
    try:
        paths.media.unlink(missing_ok=True)
        paths.index.unlink(missing_ok=True)
        sync(paths.media.parent)
        # Last, and after the others have durably gone: it is what a next call finds the rest by.
        paths.record.unlink(missing_ok=True)
        sync(paths.media.parent)
    except OSError as error:
        raise StorageError(
            f"the footage {segment.path} cannot be deleted: {error.strerror}; check its permissions"
        ) from error


def _remove_empty_epochs(recordings: Recordings, cameras: set[str]) -> None:
    """But for a camera's last, which may be about to be written to."""
    for camera in cameras:
        for folder in list(epoch_folders(recordings.root, camera))[:-1]:
            if not any(folder.iterdir()):
                folder.rmdir()
