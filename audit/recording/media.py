"""A file that only grows: what is in it stays as it is, so that a crash can only tear its end."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path


class GrowingFile:
    """A new file, written at its end only, with the checksum of what was written.

    FFmpeg writes into it through ``write``; having no ``seek``, it is never asked to change what it holds.
    After a write has failed the file takes nothing more and complains no more: what comes after a hole would
    be of no use, and FFmpeg still wants to end the container.

    Args:
        path: Must not exist.

    Raises:
        OSError: it exists, or cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        self._failed = False
        self._digest = hashlib.sha256()
        self._descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)

    @property
    def descriptor(self) -> int:
        return self._descriptor

    def write(self, data: bytes) -> int:
        """Add `data`; raises ``OSError`` the first time that it does not fit."""
        if not self._failed:
            self._append(memoryview(data))
        return len(data)

    def _append(self, rest: memoryview) -> None:
        while rest:
            try:
                written = os.write(self._descriptor, rest)
            except OSError:
                self._failed = True
                raise
            self._digest.update(rest[:written])
            self.size_bytes += written
            rest = rest[written:]

    def sync(self) -> None:
        """Force what was written to the disk. Raises ``OSError``."""
        if self._failed:
            raise OSError(errno.EIO, "a write has failed before", str(self.path))
        os.fdatasync(self._descriptor)

    def sha256(self) -> str:
        """Of what was written."""
        return self._digest.hexdigest()

    def close(self) -> None:
        """Let go of it; safe twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def sha256_of(path: Path) -> str:
    """The checksum of a file as it is. Raises ``OSError``."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
