"""What is known of a closed segment: a small JSON file beside it, whose presence means that it is closed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from audit.recording.layout import SegmentPaths
from gallery.photo_files import write_durably
from pipeline.errors import StorageError

FORMAT = 1


@dataclass(frozen=True, slots=True)
class ClosedSegment:
    """A stretch of one camera's footage that is whole on the disk.

    Attributes:
        camera_id: Whose.
        stream_epoch: Of which epoch.
        first_pts_ns: Of the first frame that it shows, `last_pts_ns` of the last.
        first_captured_at_ns: Wall-clock time of the first frame, nanoseconds since 1970 UTC, ``None`` where
            unknown; `last_captured_at_ns` of the last.
        frames: How many frames of the pipeline it holds.
        packets: How many packets.
        media_bytes: Size of the footage, `media_sha256` its checksum.
        index_bytes: Size of the index, `index_sha256` its checksum.
        codec: Of the footage, such as ``h264``.
        closed_at_ns: When it was closed; for what a crash left, when it was last written.
        recovered: Whether a crash or a full disk ended it.
        path: The footage.
    """

    camera_id: str
    stream_epoch: int
    first_pts_ns: int
    last_pts_ns: int
    first_captured_at_ns: int | None
    last_captured_at_ns: int | None
    frames: int
    packets: int
    media_bytes: int
    media_sha256: str
    index_bytes: int
    index_sha256: str
    codec: str
    closed_at_ns: int
    recovered: bool
    path: Path

    def __post_init__(self) -> None:
        if not 0 <= self.first_pts_ns <= self.last_pts_ns:
            raise ValueError(f"a segment cannot last from {self.first_pts_ns} to {self.last_pts_ns} ns")
        if (self.first_captured_at_ns is None) != (self.last_captured_at_ns is None):
            raise ValueError("a segment has both capture times or none")
        if min(self.frames, self.packets, self.media_bytes, self.index_bytes, self.stream_epoch) < 0:
            raise ValueError("counts, sizes and epochs must not be negative")

    @property
    def paths(self) -> SegmentPaths:
        return SegmentPaths(self.path)

    @property
    def bytes(self) -> int:
        """What it takes on the disk, but for its JSON."""
        return self.media_bytes + self.index_bytes


def write_record(segment: ClosedSegment) -> None:
    """Say durably that the segment is closed. Raises ``OSError``."""
    values = {name: getattr(segment, name) for name in ClosedSegment.__slots__ if name != "path"}
    record = {"format": FORMAT, "media": segment.path.name, **values}
    write_durably(segment.paths.record, msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")


def read_record(path: Path) -> ClosedSegment:
    """What a segment's JSON says.

    Raises:
        StorageError: it cannot be read, is not such a file, or was made by a newer Pinwatch.
    """
    try:
        record: dict[str, Any] = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        found, media = record.pop("format", None), str(record.pop("media", ""))
        if found != FORMAT:
            raise StorageError(f"{path} is of format {found}, not {FORMAT}: read it with a newer Pinwatch")
        if SegmentPaths(path.with_name(media)).record != path:
            raise StorageError(f"{path} speaks of other footage ({media}): bring it back from a backup")
        return msgspec.convert({**record, "path": path.with_name(media)}, ClosedSegment, strict=True)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}; check its permissions") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise StorageError(
            f"{path} does not describe footage ({error}): bring it back from a backup, or remove it and let "
            "recovery write it again"
        ) from error
