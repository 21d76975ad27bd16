"""The index beside a segment: which packet became which frame, by the names that the pipeline gave.

A container rounds times to its own clock, and a packet's time is not yet the time that the pipeline calls
its frame by. So the index keeps, in the order of events, every packet with its stamps as the source gave
them, and every frame with the ordinal of the packet that it came from. Given the same packets with the same
stamps, a decoder gives the same frames with the same ordinals; the names are then looked up.

A file is a header (magic, length, checksum, JSON) and records of 32 bytes that end in a checksum. What was
torn off by a crash or is not what was written is not a record, nor is anything after it.
"""

from __future__ import annotations

import enum
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import msgspec

from pipeline.errors import StorageError

_MAGIC = b"pinwatch-index-1"
_HEAD = struct.Struct("<16sII")
_BODY = struct.Struct("<BBHIqqI")
_CHECK = struct.Struct("<I")
RECORD_BYTES = _BODY.size + _CHECK.size

_NONE = -(1 << 63)


class _Kind(enum.IntEnum):
    PACKET = 1
    FRAME = 2


@dataclass(frozen=True, slots=True)
class IndexHeader:
    """What holds for a whole segment.

    Attributes:
        camera_id: Whose footage.
        stream_epoch: Of which epoch.
        first_pts_ns: What the segment is called.
        stream: Names the connection that the packets came from; ordinals count within it.
        codec: Such as ``h264``.
        time_base: Of the packets' stamps in seconds, numerator and denominator.
        rate_hz: Nominal frames per second.
        picture_px: Width and height to cut pictures down to, where encoding made them larger.
    """

    camera_id: str
    stream_epoch: int
    first_pts_ns: int
    stream: str
    codec: str
    time_base: tuple[int, int]
    rate_hz: float
    picture_px: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if min(self.stream_epoch, self.first_pts_ns) < 0 or self.rate_hz <= 0 or min(self.time_base) < 1:
            raise ValueError(f"not the header of a segment: {self}")

    @property
    def base(self) -> Fraction:
        return Fraction(*self.time_base)


@dataclass(frozen=True, slots=True)
class PacketRecord:
    """One packet in the media file; the first record is the first packet, and so on.

    Attributes:
        ordinal: Its number in the stream.
        pts: Presentation stamp in ticks as the source gave it, ``None`` if it gave none; `dts` likewise.
        size_bytes: Its size as the source gave it.
        is_key: Whether decoding can begin here.
    """

    ordinal: int
    pts: int | None
    dts: int | None
    size_bytes: int
    is_key: bool


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """One frame as the pipeline names it.

    Attributes:
        ordinal: The packet that it came from.
        pts_ns: Its time since the epoch's first frame.
        captured_at_ns: Wall-clock time, ``None`` where unknown.
    """

    ordinal: int
    pts_ns: int
    captured_at_ns: int | None


@dataclass(frozen=True, slots=True)
class Index:
    """An index that was read.

    Attributes:
        header: What holds for all.
        packets: In the order of the media file. After a crash there may be more than the file holds.
        frames: In the order in which they were decoded.
        whole_bytes: How much of the file was read: up to its end, or to where it is torn.
    """

    header: IndexHeader
    packets: tuple[PacketRecord, ...]
    frames: tuple[FrameRecord, ...]
    whole_bytes: int

    def names_within(self, packets: int) -> tuple[FrameRecord, ...]:
        """The frames that come from the first so many packets."""
        ordinals = {packet.ordinal for packet in self.packets[:packets]}
        return tuple(frame for frame in self.frames if frame.ordinal in ordinals)


def encode_header(header: IndexHeader) -> bytes:
    """The beginning of an index file."""
    text = msgspec.json.encode(header)
    return _HEAD.pack(_MAGIC, len(text), zlib.crc32(text)) + text


def encode_record(record: PacketRecord | FrameRecord) -> bytes:
    """:data:`RECORD_BYTES` bytes."""
    match record:
        case PacketRecord(ordinal, pts, dts, size_bytes, is_key):
            body = _BODY.pack(_Kind.PACKET, is_key, 0, ordinal, _of(pts), _of(dts), size_bytes)
        case FrameRecord(ordinal, pts_ns, captured_at_ns):
            body = _BODY.pack(_Kind.FRAME, 0, 0, ordinal, pts_ns, _of(captured_at_ns), 0)
    return body + _CHECK.pack(zlib.crc32(body))


def read_index(path: Path) -> Index:
    """Read an index as far as it is whole.

    Raises:
        StorageError: it cannot be read, or not even its header is whole.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageError(f"the index {path} cannot be read: {error.strerror}") from error
    header, start = _header(data, path)
    records = list(_records(data, start))
    return Index(
        header,
        tuple(record for record in records if isinstance(record, PacketRecord)),
        tuple(record for record in records if isinstance(record, FrameRecord)),
        start + RECORD_BYTES * len(records),
    )


def _header(data: bytes, path: Path) -> tuple[IndexHeader, int]:
    torn = StorageError(f"{path} is no index of footage, or its beginning is damaged: bring back a backup")
    if len(data) < _HEAD.size:
        raise torn
    magic, length, check = _HEAD.unpack_from(data)
    text = data[_HEAD.size : _HEAD.size + length]
    if magic != _MAGIC or len(text) != length or zlib.crc32(text) != check:
        raise torn
    try:
        return msgspec.json.decode(text, type=IndexHeader), _HEAD.size + length
    except msgspec.MsgspecError as error:
        raise torn from error


def _records(data: bytes, start: int) -> Iterator[PacketRecord | FrameRecord]:
    for at in range(start, len(data) - RECORD_BYTES + 1, RECORD_BYTES):
        body = data[at : at + _BODY.size]
        if zlib.crc32(body) != _CHECK.unpack_from(data, at + _BODY.size)[0]:
            return
        kind, flags, _, ordinal, first, second, size_bytes = _BODY.unpack(body)
        if kind == _Kind.PACKET:
            yield PacketRecord(ordinal, _from(first), _from(second), size_bytes, bool(flags))
        elif kind == _Kind.FRAME:
            yield FrameRecord(ordinal, first, _from(second))
        else:
            return


def _of(value: int | None) -> int:
    return _NONE if value is None else value


def _from(value: int) -> int | None:
    return None if value == _NONE else value
