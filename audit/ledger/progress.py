"""How far a ledger has come, for whoever shows it: followed as it grows, and proving nothing.

What was read once is not read again, so that asking every few seconds costs little. Signatures are not
checked here; that is what verifying is for.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import msgspec

from audit.ledger.checkpoints import Checkpoint
from audit.ledger.folder import CHECKPOINTS, LedgerFolder
from audit.ledger.frames import BrokenChain, Place, beginning, read_frames


@dataclass(frozen=True, slots=True)
class LedgerProgress:
    """How far it has come.

    Attributes:
        chains: How many there are.
        records: In all of them.
        checkpoints: How many were signed.
        last_checkpoint_ns: When the last one was, nanoseconds since 1970 UTC.
        since_checkpoint: Records that no checkpoint covers yet.
        broken: Chains that cannot be read to their end.
    """

    chains: int
    records: int
    checkpoints: int
    last_checkpoint_ns: int | None
    since_checkpoint: int
    broken: tuple[str, ...]


class _Signed(msgspec.Struct, frozen=True):
    checkpoint: bytes


class LedgerFollower:
    """Follows one ledger; safe from any thread.

    Args:
        folder: Of the ledger.
    """

    def __init__(self, folder: LedgerFolder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._places: dict[str, Place] = {}
        self._covered: dict[str, int] = {}
        self._signed_at = beginning(CHECKPOINTS)
        self._last_ns: int | None = None

    def look(self) -> LedgerProgress | None:
        """How far it is now; ``None`` where there is no ledger.

        Raises:
            OSError: it cannot be read.
        """
        if not self._folder.exists():
            return None
        with self._lock:
            writers = self._folder.writers()
            broken = [writer for writer in writers if not self._follow(writer)]
            if not self._follow_checkpoints():
                broken.append(CHECKPOINTS)
            counts = {writer: self._places[writer].head.count for writer in writers}
            # The record that tells of a checkpoint comes after it, and needs none of its own.
            bare = {writer: count - self._covered.get(writer, 0) for writer, count in counts.items()}
            open_ = sum(max(0, count - (writer in self._covered)) for writer, count in bare.items())
            return LedgerProgress(
                len(writers),
                sum(counts.values()),
                self._signed_at.head.count,
                self._last_ns,
                open_,
                tuple(broken),
            )

    def _follow(self, writer: str) -> bool:
        """Read on; whether what is there could be read, but for a last record that is being written."""
        place = self._places.get(writer, beginning(writer))
        try:
            for frame in read_frames(self._folder.chain(writer), place):
                place = frame.end
        except BrokenChain as broken:
            return broken.torn
        finally:
            self._places[writer] = place
        return True

    def _follow_checkpoints(self) -> bool:
        try:
            for frame in read_frames(self._folder.checkpoints, self._signed_at):
                signed = msgspec.msgpack.decode(frame.body, type=_Signed)
                checkpoint = msgspec.msgpack.decode(signed.checkpoint, type=Checkpoint)
                self._last_ns = checkpoint.at_ns
                for writer, (count, _) in checkpoint.heads.items():
                    self._covered[writer] = max(count, self._covered.get(writer, 0))
                self._signed_at = frame.end
        except BrokenChain as broken:
            return broken.torn
        except msgspec.MsgspecError:
            return False
        return True
