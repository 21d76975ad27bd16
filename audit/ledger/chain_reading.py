"""One chain as it is read, beside what checkpoints say of it."""

from __future__ import annotations

from audit.ledger.covering import Covered
from audit.ledger.ending import BY
from audit.ledger.entries import Entry, Kind
from audit.ledger.frames import BrokenChain, Frame
from audit.ledger.report import Problem, up_to

_ADDED = "follows the end of the chain: it was added afterwards"
_UNSIGNED_END = "ended, and its process died before that was signed, or the newest checkpoints were removed"
_NO_END = "has not ended: its process is running, or died"


class ChainReading:
    """How far it has come.

    Args:
        writer: Name of the chain.
        covered: What checkpoints say of it.

    Attributes:
        count: Records that hold.
        closed: Whether the chain ends in order.
        signed: The last checkpoint that the chain tells of: its number, and that of the record.
    """

    def __init__(self, writer: str, covered: Covered) -> None:
        self._writer, self._covered = writer, covered
        self._last = max(covered, default=0)
        self._good = 0
        self._ends_signed = False
        self._ended_by: object = None
        self.count = 0
        self.closed = False
        self.signed: tuple[int, int] | None = None

    @property
    def covered_to_its_end(self) -> bool:
        """Whether nothing can have been going on any more."""
        return self.closed and self._last >= self.count

    def take(self, frame: Frame, entry: Entry) -> Problem | None:
        """The next record; what is wrong with it."""
        number = frame.number
        if self.closed:
            return Problem(self._writer, number, _ADDED)
        wanted = self._covered.get(number + 1)
        if wanted is not None:
            if wanted != frame.hash:
                return self._replaced(number)
            self._good = number + 1
        self._ends_signed = entry.kind == Kind.CHECKPOINT
        if self._ends_signed:
            self._tells(number, entry.fields.get("number"))
        self.closed = entry.kind == Kind.CLOSED
        self._ended_by = entry.fields.get(BY) if self.closed else None
        self.count = number + 1
        return None

    def _replaced(self, number: int) -> Problem:
        those = "it" if number == self._good else f"it, or one up to {number},"
        what = f"is not the one that was signed: {those} was replaced, and the chain hashed anew"
        return Problem(self._writer, self._good, what)

    def _tells(self, number: int, checkpoint: object) -> None:
        if isinstance(checkpoint, int):
            self.signed = (checkpoint, number)

    def broken(self, error: BrokenChain) -> Problem | None:
        """What is wrong if no more can be read; nothing, if a crash may have done it."""
        if self.closed:
            return Problem(self._writer, error.number, _ADDED)
        if error.torn and self.count < self._last:
            what = f"is cut off, and nothing follows: a checkpoint covers those up to {self._last - 1}"
            return Problem(self._writer, error.number, what)
        return None if error.torn else Problem(self._writer, error.number, error.why)

    def ended(self) -> Problem | None:
        """The file has ended; what is missing."""
        if self.count < self._last:
            what = f"{up_to(self.count, self._last - 1)}: a checkpoint covers it"
            return Problem(self._writer, self.count, what)
        return None

    def note(self, *, torn: bool) -> str | None:
        """What should be known of a chain that holds."""
        if self.covered_to_its_end:
            return None if self._ended_by is None else self._ended_later()
        uncovered = max(0, self.count - self._last - self._ends_signed)
        parts = [_UNSIGNED_END if self.closed else _NO_END]
        if torn:
            parts.append("the last record was not written to its end")
        if uncovered:
            parts.append(_uncovered(uncovered, self.count))
        return f"{self._writer} {'; '.join(parts)}"

    def _ended_later(self) -> str:
        before = max((count for count in self._covered if count < self.count), default=0)
        tells = self.signed is not None and self.signed[1] == before
        later = self.count - before - tells - 1  # neither what tells of the checkpoint nor the end
        signed = f"its last {later} records were" if later != 1 else "its last record was"
        what = f"{signed} signed only then" if later else "all its records had been signed"
        return f"{self._writer} was ended by {self._ended_by}, since its process had died; {what}"


def _uncovered(records: int, of: int) -> str:
    if records == of:
        return "no checkpoint covers any of its records yet, so nothing proves who wrote them"
    which = "last record" if records == 1 else f"last {records} records"
    return f"no checkpoint covers the {which} yet, so nothing shows whether more followed"
