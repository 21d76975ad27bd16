"""What the checkpoints of a ledger say of its chains."""

from __future__ import annotations

from collections.abc import Mapping

from audit.ledger.checkpoints import Checkpoint, ExportedCheckpoint, read_checkpoints
from audit.ledger.folder import CHECKPOINTS, LedgerFolder
from audit.ledger.frames import BrokenChain, beginning
from audit.ledger.report import Problem, up_to
from audit.ledger.signing import Verifier
from pipeline.errors import LedgerCorrupt

Covered = Mapping[int, bytes]
"""Hashes of records, by the number of records up to and with them."""


class Covering:
    """Checkpoints in their order, as far as they hold.

    Args:
        folder: The ledger.
        verifier: Of its key.
        kept: A checkpoint that somebody kept elsewhere.

    Attributes:
        problem: The first thing that is wrong.
        torn: Whether the file ends within a checkpoint.
    """

    def __init__(self, folder: LedgerFolder, verifier: Verifier, kept: ExportedCheckpoint | None) -> None:
        self._folder, self._verifier, self._kept = folder, verifier, kept
        self._identity = folder.identity()
        self._place = beginning(CHECKPOINTS)
        self._heads: dict[str, dict[int, bytes]] = {}
        self.problem: Problem | None = None
        self.torn = False
        self.read_on()
        if kept is not None:
            self._use(kept)

    @property
    def count(self) -> int:
        """How many hold."""
        return self._place.head.count

    def of(self, writer: str) -> Covered:
        """What they say of one chain."""
        return self._heads.get(writer, {})

    def writers(self) -> list[str]:
        """The chains that they tell of."""
        return sorted(self._heads)

    def read_on(self) -> None:
        """What was added since, for instance while chains were read."""
        if self.problem is not None:
            return
        self.torn = False
        try:
            for checkpoint, frame in read_checkpoints(self._folder, self._verifier, self._place):
                self._place = frame.end
                self._add(checkpoint)
                self._compare(frame.number, frame.hash.hex())
        except BrokenChain as broken:
            self.torn = broken.torn
            if not broken.torn:
                self._bad(broken.number, broken.why)
        except FileNotFoundError:
            self._bad(0, "is gone, and so is every other: the file does not exist")
        except OSError as error:
            self._bad(None, f"cannot be read: {error.strerror}")

    def expect(self, number: int, because: str) -> None:
        """Somebody knows of a checkpoint: it must be there."""
        if number >= self.count:
            self._bad(self.count, f"{up_to(self.count, number)}: {because}")

    def _use(self, kept: ExportedCheckpoint) -> None:
        """It must be there; what it says of chains counts in any case."""
        if kept.ledger_id != self._identity:
            what = f"are of ledger {self._identity}, the one that was kept elsewhere of {kept.ledger_id}"
            self._bad(None, what)
            return
        try:
            self._add(kept.open(self._verifier))
        except LedgerCorrupt as error:
            self._bad(None, f"cannot be compared: {error}")
            return
        self.expect(kept.number, "that one was kept elsewhere")

    def _compare(self, number: int, digest: str) -> None:
        kept = self._kept
        if kept is None or (kept.number, kept.ledger_id) != (number, self._identity):
            return
        if kept.hash != digest:
            self._bad(number, "is not the one that was kept elsewhere")

    def _add(self, checkpoint: Checkpoint) -> None:
        for writer, (count, digest) in checkpoint.heads.items():
            self._heads.setdefault(writer, {})[count] = digest

    def _bad(self, record: int | None, what: str) -> None:
        if self.problem is None:
            self.problem = Problem(CHECKPOINTS, record, what)
