"""Footage that must not be deleted, because somebody said so: ``recordings/holds.json``."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from audit.recording.closed import ClosedSegment
from gallery.photo_files import make_folder, write_durably
from pipeline.errors import StorageError, UsageError

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Hold:
    """A stretch of time whose footage stays.

    Attributes:
        id: Names it.
        camera_id: Of which camera, ``None`` for all.
        from_ns: From when, nanoseconds since 1970 UTC.
        to_ns: Until when, included.
        reason: Why.
        by: Who said so.
        at_ns: When they did.
    """

    id: str
    camera_id: str | None
    from_ns: int
    to_ns: int
    reason: str
    by: str
    at_ns: int

    def __post_init__(self) -> None:
        if self.from_ns > self.to_ns:
            raise UsageError("a hold must not end before it begins: exchange the two times")
        if not self.reason.strip() or not self.by.strip():
            raise UsageError("a hold needs a reason and somebody who wants it: say both")

    def covers(self, segment: ClosedSegment) -> bool:
        """Whether any of the segment was captured in that time; footage without times counts as covered."""
        if self.camera_id is not None and self.camera_id != segment.camera_id:
            return False
        first_ns, last_ns = segment.first_captured_at_ns, segment.last_captured_at_ns
        if first_ns is None or last_ns is None:
            return True
        # The segment's last frame, or a clock that was set meanwhile: never the narrower reading.
        return min(first_ns, last_ns) <= self.to_ns and max(first_ns, last_ns) >= self.from_ns


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    holds: tuple[Hold, ...]


class Holds:
    """The holds below a folder ``recordings``. Safe from several processes.

    Args:
        root: The folder.
        now_ns: Wall-clock time.
        new_id: Makes ids.
    """

    def __init__(
        self,
        root: Path,
        *,
        now_ns: Callable[[], int],
        new_id: Callable[[], str] = lambda: secrets.token_hex(4),
    ) -> None:
        self.path = root / "holds.json"
        self._now_ns = now_ns
        self._new_id = new_id

    def list(self) -> tuple[Hold, ...]:
        """All holds, the oldest first.

        Raises:
            StorageError: the file is there and cannot be read. Nothing may be deleted then.
        """
        try:
            found = msgspec.json.decode(self.path.read_bytes(), type=_File)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise StorageError(f"{self.path} cannot be read: {error.strerror}; nothing is deleted") from error
        except (msgspec.MsgspecError, UnicodeDecodeError, UsageError) as error:
            raise StorageError(
                f"{self.path} is damaged ({error}): bring back a backup; nothing is deleted until then"
            ) from error
        if found.format != _FORMAT:
            raise StorageError(f"{self.path} is of format {found.format}: use the Pinwatch that wrote it")
        return found.holds

    def add(self, *, camera: str | None, from_ns: int, to_ns: int, reason: str, by: str) -> Hold:
        """Hold footage; from when this returns none of it is deleted.

        Raises:
            UsageError: the times are the wrong way round, or reason or name is missing.
            StorageError: the file cannot be read or written.
        """
        hold = Hold(self._new_id(), camera, from_ns, to_ns, reason, by, self._now_ns())
        with self.locked() as holds:
            self._write((*holds, hold))
        return hold

    def release(self, hold_id: str) -> Hold:
        """Let a hold go, and return it.

        Raises:
            UsageError: there is none of that id.
            StorageError: the file cannot be read or written.
        """
        with self.locked() as holds:
            gone = next((hold for hold in holds if hold.id == hold_id), None)
            if gone is None:
                known = ", ".join(hold.id for hold in holds) or "none"
                raise UsageError(f"there is no hold {hold_id!r}; there are: {known}")
            self._write(tuple(hold for hold in holds if hold is not gone))
        return gone

    @contextmanager
    def locked(self) -> Iterator[tuple[Hold, ...]]:
        """The holds, while nobody can add or release any: for whoever deletes.

        Raises:
            StorageError: the file cannot be read, or the lock not be made.
        """
        try:
            make_folder(self.path.parent)
            lock = os.open(self.path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            raise StorageError(f"{self.path} cannot be locked: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self.list()
        finally:
            os.close(lock)

    def _write(self, holds: tuple[Hold, ...]) -> None:
        try:
            text = msgspec.json.format(msgspec.json.encode(_File(_FORMAT, holds)), indent=2)
            write_durably(self.path, text + b"\n")
        except OSError as error:
            raise StorageError(f"{self.path} cannot be written: {error.strerror}") from error
