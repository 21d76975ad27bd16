"""One chain file, open for writing."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

from audit.ledger.folder import sync_folder
from audit.ledger.frames import BrokenChain, Head, Place, beginning, encode_frame, read_frames
from pipeline.errors import LedgerCorrupt, StorageError

MAX_TORN_BYTES = 1 << 16
"""A crash tears one write. Where more than that cannot be read it was no crash, and nothing is cut off."""

_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


class ChainInUse(Exception):
    """Another process writes to it."""


class ChainFile:
    """Appends frames; what :meth:`append` returned from is durable.

    Args:
        path: Of the file; made if it is not there.
        since: A place in it that is known to be right; what lies behind it is read and checked.
        wait: Until no other process has it open.

    Raises:
        ChainInUse: one has, and `wait` is false.
        StorageError: it cannot be written.
        LedgerCorrupt: it is there, and not as it was written.
    """

    def __init__(self, path: Path, since: Place, *, wait: bool = True) -> None:
        self._path, self._dirty = path, False
        try:
            new = not path.exists()
            self._file = path.open("w+b" if new else "r+b", buffering=0)
        except OSError as error:
            raise self._failed(error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            if new:
                sync_folder(path.parent)
            self.place = self._recover(since)
        except BlockingIOError:
            self._file.close()
            raise ChainInUse(path) from None
        except OSError as error:
            self._file.close()
            raise self._failed(error) from error
        except LedgerCorrupt:
            self._file.close()
            raise

    @classmethod
    def begin(cls, path: Path, name: str) -> ChainFile:
        """From its first frame on."""
        return cls(path, beginning(name))

    @property
    def head(self) -> Head:
        """How far the chain goes."""
        return self.place.head

    def _recover(self, since: Place) -> Place:
        """Behind the last whole frame. What a crash tore is cut off: nobody was told of it."""
        place = since
        try:
            for frame in read_frames(self._path, since):
                place = frame.end
        except BrokenChain as broken:
            rest_bytes = os.fstat(self._file.fileno()).st_size - place.offset
            if not broken.torn or rest_bytes > MAX_TORN_BYTES:
                raise LedgerCorrupt(f"{self._path}: {broken}: run `pinwatch audit verify`") from None
            self._file.truncate(place.offset)
            os.fsync(self._file.fileno())
        return place

    def append(self, bodies: Sequence[bytes]) -> Head:
        """Add a frame for each of `bodies`, durable together.

        Raises:
            StorageError: disk full, for instance; the chain is as before.
        """
        data, before = bytearray(), self.head.hash
        for body in bodies:
            frame, before = encode_frame(before, body)
            data += frame
        try:
            self._undo()
            self._dirty = True
            self._write(data)
            self._dirty = False
        except OSError as error:
            with contextlib.suppress(OSError):  # tried again before the next frame
                self._undo()
            raise self._failed(error) from error
        self.place = Place(Head(self.head.count + len(bodies), before), self.place.offset + len(data))
        return self.head

    def _write(self, data: bytes | bytearray) -> None:
        view = memoryview(data)
        os.lseek(self._file.fileno(), self.place.offset, os.SEEK_SET)
        while view:
            view = view[os.write(self._file.fileno(), view) :]
        os.fsync(self._file.fileno())

    def _undo(self) -> None:
        """Cut off what an attempt left behind: the rest of a long one would stand behind a short one."""
        if self._dirty:
            self._file.truncate(self.place.offset)
            self._dirty = False

    def _failed(self, error: OSError) -> StorageError:
        way_out = "is the disk full? " if error.errno in _FULL else ""
        return StorageError(
            f"cannot write the ledger's {self._path} ({error.strerror}): {way_out}"
            "Nothing recorded before is lost"
        )

    def close(self) -> None:
        """Let go of the file; safe twice."""
        self._file.close()
