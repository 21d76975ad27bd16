"""Reads the ledger's records in the order of its chains."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from audit.ledger.entries import Entry, decode_entry
from audit.ledger.folder import LedgerFolder
from audit.ledger.frames import BrokenChain, Frame, beginning, read_frames
from pipeline.errors import LedgerCorrupt


@dataclass(frozen=True, slots=True)
class Record:
    """An entry and where it lies: chain, and number of the record in it."""

    chain: str
    number: int
    entry: Entry


def records(folder: LedgerFolder, kinds: Collection[str]) -> Iterator[Record]:
    """All records of some kinds, chain by chain, the oldest chain first; each is checked against its hash.

    Whether anything is missing only :func:`audit.ledger.verify.verify` can say.

    Raises:
        LedgerCorrupt: a record is not what was written.
    """
    for writer in folder.writers():
        for frame in _frames(folder, writer):
            entry = decode_entry(frame)
            if entry.kind in kinds:
                yield Record(writer, frame.number, entry)


def _frames(folder: LedgerFolder, writer: str) -> Iterator[Frame]:
    try:
        yield from read_frames(folder.chain(writer), beginning(writer))
    except BrokenChain as broken:
        if not broken.torn:
            raise LedgerCorrupt(f"{writer}: {broken}: run `pinwatch audit verify`") from None
    except OSError as error:
        raise LedgerCorrupt(f"cannot read {folder.chain(writer)}: {error.strerror}") from None
