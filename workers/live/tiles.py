"""A picture of a camera as it is shown now, and how it travels: a header in JSON, then the JPEG."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

from pipeline.errors import MalformedMessage
from pipeline.types import Face

WIDTHS = (320, 640, 1280)
"""In which a picture can be had, px."""

MAX_HEADER_BYTES = 64 * 1024
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Box:
    """The face of a track, in shares of the picture: 0..1, x to the right and y down."""

    track_id: int
    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        if not (0.0 <= self.x0 <= self.x1 <= 1.0 and 0.0 <= self.y0 <= self.y1 <= 1.0):
            raise ValueError(f"a box lies within its picture, not at {self.x0, self.y0, self.x1, self.y1}")

    @classmethod
    def of(cls, track_id: int, face: Face, width_px: int, height_px: int) -> Box:
        """The box of `face` in a picture of that size, cut at its border."""
        x0, y0, x1, y1 = (float(value) for value in face.bbox)
        across, down = (
            sorted((_share(x0, width_px), _share(x1, width_px))),
            sorted((_share(y0, height_px), _share(y1, height_px))),
        )
        return cls(track_id, across[0], down[0], across[1], down[1])


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One picture, scaled and encoded.

    Attributes:
        camera_id: Whose it is.
        stream_epoch: As of :class:`pipeline.types.Frame`, like `pts_ns` and `captured_at_ns`.
        width_px: One of :data:`WIDTHS`.
        jpeg: The picture.
        boxes: The faces in it.
    """

    camera_id: str
    stream_epoch: int
    pts_ns: int
    captured_at_ns: int | None
    width_px: int
    height_px: int
    jpeg: bytes
    boxes: tuple[Box, ...]

    def __post_init__(self) -> None:
        if self.width_px not in WIDTHS:
            raise ValueError(f"a picture is {' or '.join(map(str, WIDTHS))} px wide, not {self.width_px}")


def pack_tile(tile: Tile, now_ns: int) -> bytes:
    """As it is sent: length of the header (4 bytes, big-endian), header, JPEG.

    Args:
        tile: The picture.
        now_ns: Wall-clock time of whoever sends it.
    """
    header = {
        "camera": tile.camera_id,
        "epoch": tile.stream_epoch,
        "pts_ns": tile.pts_ns,
        "captured_at_ns": tile.captured_at_ns,
        "server_now_ns": now_ns,
        "width": tile.width_px,
        "height": tile.height_px,
        "boxes": [
            [box.track_id, *(round(at, 4) for at in (box.x0, box.y0, box.x1, box.y1))] for box in tile.boxes
        ],
    }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    return b"".join((_LENGTH.pack(len(text)), text, tile.jpeg))


def unpack_tile(message: bytes) -> tuple[Tile, int]:
    """The tile, and what the sender's clock said.

    Raises:
        MalformedMessage: it is none.
    """
    try:
        (length,) = _LENGTH.unpack_from(message)
        if length > min(MAX_HEADER_BYTES, len(message) - _LENGTH.size):
            raise ValueError(f"a header of {length} bytes")
        header = json.loads(message[_LENGTH.size : _LENGTH.size + length])
        return _tile(header, bytes(message[_LENGTH.size + length :])), int(header["server_now_ns"])
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise MalformedMessage(f"this is no picture of a camera: {error}") from error


def _tile(header: dict[str, Any], jpeg: bytes) -> Tile:
    captured = header["captured_at_ns"]
    return Tile(
        camera_id=str(header["camera"]),
        stream_epoch=int(header["epoch"]),
        pts_ns=int(header["pts_ns"]),
        captured_at_ns=None if captured is None else int(captured),
        width_px=int(header["width"]),
        height_px=int(header["height"]),
        jpeg=jpeg,
        boxes=tuple(Box(int(track), *map(float, where)) for track, *where in header["boxes"]),
    )


def _share(value_px: float, size_px: int) -> float:
    return min(1.0, max(0.0, value_px / size_px))
