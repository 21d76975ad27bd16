"""Files of frames, each hashed onto the one before.

A file is a frame after another: length of the body (4 bytes, little endian), body, and 32 bytes
``SHA-256(hash of the frame before || body)``. The first frame follows the hash of the chain's own name, so
that chains cannot be exchanged.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

HASH_BYTES = 32
MAX_BODY_BYTES = 1 << 24
"""Longer bodies are neither written nor believed."""

_LENGTH = struct.Struct("<I")
_BLOCK_BYTES = 1 << 20
_BEFORE_FIRST = b"pinwatch chain 1\0"


@dataclass(frozen=True, slots=True)
class Head:
    """How far a chain goes: number of frames, and the hash of the last."""

    count: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Between two frames: how far the chain goes there, and where that is in the file, in bytes."""

    head: Head
    offset: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One record as it lies in its file.

    Attributes:
        number: Of the frame in its chain, from 0.
        offset: Where it begins in the file, in bytes.
        body: What it says.
        hash: Of everything up to it.
    """

    number: int
    offset: int
    body: bytes
    hash: bytes

    @property
    def end(self) -> Place:
        """Behind it."""
        size = _LENGTH.size + len(self.body) + HASH_BYTES
        return Place(Head(self.number + 1, self.hash), self.offset + size)


class BrokenChain(Exception):
    """A frame is not the one that was written.

    Args:
        number: Of the first bad frame.
        offset: Where it begins, in bytes.
        torn: The file ends within it, as it does when a process dies while it writes, or goes on in zeros
            to its end, as it may after a power cut.
        why: In words.
    """

    def __init__(self, number: int, offset: int, why: str, *, torn: bool = False) -> None:
        super().__init__(f"record {number} at byte {offset} {why}")
        self.number, self.offset, self.why, self.torn = number, offset, why, torn


def first_hash(name: str) -> bytes:
    """What the first frame of the chain of that name is hashed onto."""
    return hashlib.sha256(_BEFORE_FIRST + name.encode(errors="surrogateescape")).digest()


def next_hash(before: bytes, body: bytes) -> bytes:
    return hashlib.sha256(before + body).digest()


def encode_frame(before: bytes, body: bytes) -> tuple[bytes, bytes]:
    """The bytes of a frame, and its hash.

    Raises:
        ValueError: the body is too long.
    """
    if not 0 < len(body) <= MAX_BODY_BYTES:
        raise ValueError(f"a record of {len(body)} bytes: 1 to {MAX_BODY_BYTES} can be written")
    digest = next_hash(before, body)
    return _LENGTH.pack(len(body)) + body + digest, digest


def beginning(name: str) -> Place:
    """Before the first frame of the chain of that name."""
    return Place(Head(0, first_hash(name)), 0)


def read_frames(path: Path, since: Place) -> Generator[Frame, None, None]:
    """The frames of a chain in order, each checked against its hash; a block is held at a time.

    Args:
        path: The file.
        since: Where to begin: :func:`beginning`, or a place that is known to be right.

    Raises:
        BrokenChain: at the first that is not as it was written.
        OSError: the file cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        file.seek(since.offset)
        yield from _frames(_Window(file), since)


class _Window:
    """The part of a file that is being looked at: `data` from `at` on."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.data, self.at = b"", 0

    def holds(self, size: int) -> bool:
        """Read on until there are `size` bytes; whether the file has that many."""
        while len(self.data) - self.at < size:
            more = self._file.read(max(_BLOCK_BYTES, size))
            if not more:
                return False
            self.data, self.at = self.data[self.at :] + more, 0
        return True

    def only_zeros_follow(self) -> bool:
        """Whether there is nothing but zeros to the end; nothing can be read afterwards."""
        rest = self.data[self.at :]
        while rest:
            if rest.count(0) != len(rest):
                return False
            rest = self._file.read(_BLOCK_BYTES)
        return True


def _frames(window: _Window, since: Place) -> Iterator[Frame]:
    before, number, place = since.head.hash, since.head.count, since.offset
    while window.holds(1):
        body, found = _next(window, number, place)
        digest = next_hash(before, body)
        if digest != found:
            raise BrokenChain(number, place, "is not what was written")
        yield Frame(number, place, body, digest)
        before, place, number = digest, place + _LENGTH.size + len(body) + HASH_BYTES, number + 1


def _next(window: _Window, number: int, place: int) -> tuple[bytes, bytes]:
    """Body and hash of the next frame."""
    if not window.holds(_LENGTH.size):
        raise BrokenChain(number, place, "is cut off", torn=True)
    (length,) = _LENGTH.unpack_from(window.data, window.at)
    if not 0 < length <= MAX_BODY_BYTES:
        torn = length == 0 and window.only_zeros_follow()
        why = "is cut off" if torn else f"is not what was written: it would be {length} bytes long"
        raise BrokenChain(number, place, why, torn=torn)
    if not window.holds(_LENGTH.size + length + HASH_BYTES):
        raise BrokenChain(number, place, "is cut off", torn=True)
    begin = window.at + _LENGTH.size
    window.at = begin + length + HASH_BYTES
    return window.data[begin : begin + length], window.data[begin + length : window.at]
