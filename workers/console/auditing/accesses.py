"""Who looked at whom: the ledger's records of access and change, the newest first."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from audit.ledger.entries import Entry, Kind, decode_entry
from audit.ledger.folder import LedgerFolder
from audit.ledger.frames import BrokenChain, beginning, read_frames
from gallery.times import utc_text_from_ns
from pipeline.seams import Clock

KINDS = frozenset({Kind.ACCESS, Kind.GALLERY})
LIMIT = 200
PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class AccessFilter:
    """Which records are asked for; what is left empty asks for nothing.

    Attributes:
        since_ns: Written at this time or later, nanoseconds since 1970 UTC.
        until_ns: Written before this time.
        subject_id: Of this person.
        user: By the user of this id, or by somebody whose name contains it.
        text: What was done contains this.
    """

    since_ns: int | None = None
    until_ns: int | None = None
    subject_id: str = ""
    user: str = ""
    text: str = ""

    def wants(self, entry: Entry) -> bool:
        """Whether the record is one of them."""
        fields = entry.fields
        return (
            entry.kind in KINDS
            and (self.since_ns is None or entry.at_ns >= self.since_ns)
            and (self.until_ns is None or entry.at_ns < self.until_ns)
            and (not self.subject_id or self.subject_id in fields.get("subjects", ()))
            and (not self.user or self._by(fields))
            and self.text.casefold() in str(fields.get("what", "")).casefold()
        )

    def _by(self, fields: Mapping[str, Any]) -> bool:
        by = str(fields.get("by", "")).casefold()
        return fields.get("user_id") == self.user or self.user.casefold() in by


@dataclass(frozen=True, slots=True, order=True)
class Access:
    """One record.

    Attributes:
        at_ns: When, nanoseconds since 1970 UTC.
        chain: Where the ledger says so, and `number` of the record in it.
        what: What was done.
        by: Who did it, as the ledger names them.
        address: Where they came from.
        subjects: To whose data.
    """

    at_ns: int
    chain: str
    number: int
    what: str
    by: str
    address: str
    subjects: tuple[str, ...]

    @property
    def at(self) -> str:
        """ISO 8601 UTC."""
        return utc_text_from_ns(self.at_ns)


@dataclass(frozen=True, slots=True)
class AccessesFound:
    """Records, the newest first.

    Attributes:
        accesses: They.
        more: There are more than are shown.
        complete: Whether all was looked through; else older records were left out, for it took too long.
    """

    accesses: tuple[Access, ...]
    more: bool
    complete: bool


class AccessSearch:
    """Looks through the ledger, the newest chain first, for as long as somebody may wait.

    Args:
        folder: The ledger.
        clock: Time.
    """

    def __init__(self, folder: LedgerFolder, clock: Clock) -> None:
        self._folder, self._clock = folder, clock

    def find(self, wanted: AccessFilter, limit: int = LIMIT) -> AccessesFound:
        """At most `limit` records; a chain that is broken is read up to there."""
        until_s = self._clock.monotonic_s() + PATIENCE_S
        newest: list[Access] = []  # a heap: the oldest first
        count, complete = 0, True
        for writer in reversed(self._folder.writers()):
            if not self._may_hold(writer, wanted):
                continue
            if self._clock.monotonic_s() > until_s:
                complete = False
                break
            for access in self._in_chain(writer, wanted):
                count += 1
                keep = heapq.heappush if len(newest) < limit else heapq.heappushpop
                keep(newest, access)
        return AccessesFound(tuple(sorted(newest, reverse=True)), count > len(newest), complete)

    def _may_hold(self, writer: str, wanted: AccessFilter) -> bool:
        """A chain is named for when it was begun, and its file knows when it was last written to."""
        begun = writer.partition("-")[0]
        if wanted.until_ns is not None and begun.isdecimal() and int(begun) >= wanted.until_ns:
            return False
        if wanted.since_ns is None:
            return True
        try:
            return self._folder.chain(writer).stat().st_mtime_ns >= wanted.since_ns
        except OSError:
            return False

    def _in_chain(self, writer: str, wanted: AccessFilter) -> Iterator[Access]:
        try:
            for frame in read_frames(self._folder.chain(writer), beginning(writer)):
                entry = decode_entry(frame)
                if wanted.wants(entry):
                    yield _access(writer, frame.number, entry)
        except (BrokenChain, OSError):
            return  # verifying says what is wrong


def _access(writer: str, number: int, entry: Entry) -> Access:
    fields = entry.fields
    return Access(
        entry.at_ns,
        writer,
        number,
        str(fields.get("what", "")),
        str(fields.get("by", "")),
        str(fields.get("address") or ""),
        tuple(str(subject) for subject in fields.get("subjects", ())),
    )
