"""Closing what a crash left open. No picture is deleted, and what somebody is still writing is let be."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import structlog

from audit.recording.boxes import playable_bytes
from audit.recording.closed import ClosedSegment, read_record, write_record
from audit.recording.index import FrameRecord, Index, read_index
from audit.recording.layout import MEDIA_SUFFIXES, SegmentPaths, epoch_folders, indexes_in, records_in
from audit.recording.media import sha256_of
from gallery.photo_files import sync
from pipeline.errors import StorageError

log = structlog.get_logger(__name__)


def recover(root: Path, on_error: Callable[[StorageError], None] | None = None) -> list[ClosedSegment]:
    """Close every segment that no process writes and that has no JSON; call it when the program starts.

    Args:
        root: The folder ``recordings``.
        on_error: Told of every epoch whose files cannot be read or written (the disk may still be full); the
            others are gone on with. ``None`` raises.

    Returns:
        The segments that were closed.

    Raises:
        StorageError: a file cannot be read or written, and there is no `on_error`.
    """
    closed = []
    for folder in epoch_folders(root):
        try:
            closed += recover_epoch(folder)
        except StorageError as error:
            if on_error is None:
                raise
            on_error(error)
    return closed


def recover_epoch(folder: Path) -> list[ClosedSegment]:
    """The same for the folder of one epoch."""
    try:
        closed = [_recover_one(path) for path in indexes_in(folder)]
    except OSError as error:
        raise StorageError(f"segments in {folder} cannot be closed: {error.strerror}") from error
    return [segment for segment in closed if segment is not None]


def left_over(root: Path, camera: str | None = None) -> Iterator[Path]:
    """Footage that nobody writes and that could not be closed, since its index is gone or damaged."""
    for folder in epoch_folders(root, camera):
        media = (path for suffix in MEDIA_SUFFIXES for path in folder.glob(f"*.{suffix}"))
        yield from (path for path in sorted(media) if _is_left_over(SegmentPaths(path)))


def _is_left_over(paths: SegmentPaths) -> bool:
    if paths.record.exists():
        return False
    if not paths.index.exists():
        return not paths.record.exists()
    with _locked(paths.index) as free:
        return free and not paths.record.exists()


def last_kept_ns(folder: Path) -> int:
    """The last `pts_ns` that is kept in the folder of an epoch, -1 if there is none.

    Raises:
        StorageError: the JSON of its last segment cannot be read.
    """
    records = records_in(folder)
    return read_record(records[-1]).last_pts_ns if records else -1


def _recover_one(path: Path) -> ClosedSegment | None:
    if SegmentPaths(path).record.exists():
        return None
    with _locked(path) as free:
        if not free or SegmentPaths(path).record.exists():
            return None
        media = _media_of(path)
        if media is None or not media.stat().st_size:
            _remove_empty(path, media)
            return None
        return _closed(SegmentPaths(media))


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Whether nobody writes this segment, nor can while the block lasts."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)


def _media_of(path: Path) -> Path | None:
    media = (path.with_suffix(f".{suffix}") for suffix in MEDIA_SUFFIXES)
    return next((candidate for candidate in media if candidate.exists()), None)


def _remove_empty(path: Path, media: Path | None) -> None:
    """A segment that had begun and got no packet."""
    if media is not None:
        media.unlink()
    path.unlink()
    sync(path.parent)


def _closed(paths: SegmentPaths) -> ClosedSegment | None:
    try:
        index = read_index(paths.index)
    except StorageError as error:
        log.error("footage without a readable index is left as it is", error=str(error))
        return None
    os.truncate(paths.index, index.whole_bytes)
    if paths.media.suffix == ".mp4":
        os.truncate(paths.media, playable_bytes(paths.media))
    _force(paths)
    segment = _described(paths, index, playable_packets(paths.media))
    write_record(segment)
    log.warning("closed a segment that was cut off", path=str(paths.media), frames=segment.frames)
    return segment


def _force(paths: SegmentPaths) -> None:
    for path in (paths.index, paths.media):
        with path.open("rb") as file:
            os.fsync(file.fileno())


def playable_packets(media: Path) -> int:
    """How many whole packets a file begins with; a torn end is not one."""
    whole = 0
    try:
        with av.open(f"file:{media}", options={"protocol_whitelist": "file"}) as container:
            for packet in container.demux(video=0):
                if packet.is_corrupt:
                    break
                whole += bool(packet.size)
    except (av.FFmpegError, IndexError):
        pass  # this is where it is torn
    return whole


def _described(paths: SegmentPaths, index: Index, playable: int) -> ClosedSegment:
    packets, frames = index.packets[:playable], index.names_within(playable)
    first, last = (frames[0], frames[-1]) if frames else (None, None)
    return ClosedSegment(
        camera_id=index.header.camera_id,
        stream_epoch=index.header.stream_epoch,
        first_pts_ns=index.header.first_pts_ns,
        last_pts_ns=max((frame.pts_ns for frame in frames), default=index.header.first_pts_ns),
        first_captured_at_ns=_time(first, last),
        last_captured_at_ns=_time(last, first),
        frames=len(frames),
        packets=len(packets),
        media_bytes=paths.media.stat().st_size,
        media_sha256=sha256_of(paths.media),
        index_bytes=index.whole_bytes,
        index_sha256=sha256_of(paths.index),
        codec=index.header.codec,
        closed_at_ns=paths.media.stat().st_mtime_ns,
        recovered=True,
        path=paths.media,
    )


def _time(wanted: FrameRecord | None, other: FrameRecord | None) -> int | None:
    """The capture time of one frame, if that of the other is known as well."""
    if wanted is None or other is None or other.captured_at_ns is None:
        return None
    return wanted.captured_at_ns
