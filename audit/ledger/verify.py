"""Whether a ledger is what was written: every frame, every chain, every checkpoint.

Needs no database, no key but the public one, and nothing of the machine that wrote it. A ledger that is being
written to can be verified as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from audit.ledger.chain_reading import ChainReading
from audit.ledger.checkpoints import ExportedCheckpoint
from audit.ledger.covering import Covering
from audit.ledger.entries import Entry, decode_entry
from audit.ledger.folder import CHECKPOINTS, LedgerFolder
from audit.ledger.frames import BrokenChain, Frame, beginning, read_frames
from audit.ledger.report import Problem, Report
from audit.ledger.signing import Verifier
from pipeline.errors import LedgerCorrupt

__all__ = ["Problem", "Report", "Watcher", "verify"]

Watcher = Callable[[str, Frame, Entry], None]
"""Shown every record that hashes onto the one before, with the name of its chain, until one is bad."""

_UNPROVED = "without all checkpoints nothing shows whether the chains end where they ended"


def verify(
    folder: LedgerFolder,
    verifier: Verifier,
    kept: ExportedCheckpoint | None = None,
    watcher: Watcher | None = None,
) -> Report:
    """Read everything.

    Args:
        folder: The ledger, or an export of it.
        verifier: Of the ledger's public key; one that was kept elsewhere proves more than the one beside it.
        kept: A checkpoint that somebody kept elsewhere.
        watcher: Shown every record on the way.

    Returns:
        What was found; of each chain the first problem, those of the checkpoints before all others.

    Raises:
        LedgerCorrupt: there is no ledger.
    """
    report = Report()
    covering = Covering(folder, verifier, kept)
    writers = folder.writers()
    report.chains = len(writers)
    for missing in sorted(set(covering.writers()) - set(writers)):
        what = (
            "is gone, and so is every other: the file of the chain does not exist, and a checkpoint covers it"
        )
        report.problems.append(Problem(missing, 0, what))
    readings = [_verify_chain(folder, writer, covering, report, watcher) for writer in writers]
    _ask_for_checkpoints(writers, readings, covering)
    _judge_checkpoints(covering, readings, report)
    return report


def _verify_chain(
    folder: LedgerFolder, writer: str, covering: Covering, report: Report, watcher: Watcher | None
) -> ChainReading:
    reading = ChainReading(writer, covering.of(writer))
    problem, torn = None, False
    try:
        problem = _read(folder, writer, reading, watcher) or reading.ended()
    except BrokenChain as broken:
        problem, torn = reading.broken(broken), broken.torn
    except OSError as error:
        problem = Problem(writer, None, f"cannot be read: {error.strerror}")
    report.records += reading.count
    if problem is not None:
        report.problems.append(problem)
    elif (note := reading.note(torn=torn)) is not None:
        report.notes.append(note)
    return reading


def _read(
    folder: LedgerFolder, writer: str, reading: ChainReading, watcher: Watcher | None
) -> Problem | None:
    for frame, entry in _entries(folder, writer):
        problem = reading.take(frame, entry)
        if problem is not None:
            return problem
        if watcher is not None:
            watcher(writer, frame, entry)
    return None


def _entries(folder: LedgerFolder, writer: str) -> Iterator[tuple[Frame, Entry]]:
    for frame in read_frames(folder.chain(writer), beginning(writer)):
        try:
            yield frame, decode_entry(frame)
        except LedgerCorrupt:
            raise BrokenChain(frame.number, frame.offset, "says nothing that a Pinwatch wrote") from None


def _ask_for_checkpoints(writers: list[str], readings: list[ChainReading], covering: Covering) -> None:
    """Those that chains tell of must be there; some may have been signed while we read."""
    if covering.torn:
        covering.read_on()
    told = [
        (*reading.signed, writer)
        for writer, reading in zip(writers, readings, strict=True)
        if reading.signed is not None
    ]
    if not told:
        return
    number, record, writer = max(told)
    if number >= covering.count:
        covering.read_on()
    covering.expect(number, f"record {record} of {writer} tells of that one")


def _judge_checkpoints(covering: Covering, readings: list[ChainReading], report: Report) -> None:
    report.checkpoints = covering.count
    if covering.problem is not None:
        report.problems.insert(0, covering.problem)
        report.notes = [_UNPROVED]  # what is said of ends would be wrong
    elif covering.torn:
        if all(reading.covered_to_its_end for reading in readings):
            what = "is none: bytes were added when nothing was being written any more"
            report.problems.insert(0, Problem(CHECKPOINTS, covering.count, what))
        else:
            report.notes.append(f"{CHECKPOINTS}: the last one was not written to its end")
