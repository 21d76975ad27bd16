"""The torn end of an MP4 file: it is made of boxes, and one that describes footage is of no use in part."""

from __future__ import annotations

import struct
from pathlib import Path

_HEAD = struct.Struct(">I4s")
_LARGE = struct.Struct(">Q")


def playable_bytes(path: Path) -> int:
    """How much of an MP4 file to keep so that what is in it can be played. Raises ``OSError``.

    A file that ends inside the pictures of a fragment can be played up to there. One that ends inside of what
    describes the next fragment cannot be played at all, for want of a few bytes that show nothing.
    """
    size = path.stat().st_size
    at = 0
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            length, kind = _box(file.read(_HEAD.size + _LARGE.size))
            if kind == b"mdat" and at + length > size:
                return size
            if not length or at + length > size:
                return at
            at += length
    return at


def _box(head: bytes) -> tuple[int, bytes]:
    """Length and kind of the box that begins so; length 0 if not even that is whole."""
    if len(head) < _HEAD.size:
        return 0, b""
    length, kind = _HEAD.unpack_from(head)
    if length == 1 and len(head) == _HEAD.size + _LARGE.size:
        return _LARGE.unpack_from(head, _HEAD.size)[0], kind
    return (length if length >= _HEAD.size else 0), kind
