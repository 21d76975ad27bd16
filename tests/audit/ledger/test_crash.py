"""A process that is killed at any instant loses nothing that it was told is there."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from audit.ledger.entries import Entry, Kind
from audit.ledger.folder import LedgerFolder
from audit.ledger.signing import Verifier
from audit.ledger.verify import Report, verify
from audit.ledger.writer import Ledger
from pipeline.clock import ManualClock
from tests.audit.ledger.ledgers import NEVER_S, Written, cut, write_ledger
from tests.audit.ledger.test_writer import scribe


def killed(folder: LedgerFolder, mode: str, after_s: float) -> list[str]:
    """What a process said before it was killed."""
    process = scribe(folder, "killed", mode, "1000000")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdout.readline()  # the first record is there
    time.sleep(after_s)
    process.kill()
    said, _ = process.communicate(timeout=30)
    return said.split()


def read(folder: LedgerFolder) -> tuple[Report, list[Entry]]:
    entries: list[Entry] = []
    verifier = Verifier.read(folder.public_key)
    return verify(folder, verifier, watcher=lambda _chain, _frame, entry: entries.append(entry)), entries


@pytest.mark.parametrize("mode", ["steadily", "sessions"])
@pytest.mark.parametrize("attempt", range(5))
def test_a_killed_process_loses_nothing_it_said(tmp_path: Path, mode: str, attempt: int) -> None:
    folder = LedgerFolder(tmp_path / "ledger")
    said = killed(folder, mode, random.Random(attempt).uniform(0.0, 0.3))
    report, entries = read(folder)
    assert report.problems == []
    found = {entry.fields["id"] for entry in entries if entry.kind == Kind.DECISION}
    assert found >= set(said)
    with Ledger(folder, "next", ManualClock(1), NEVER_S) as ledger:  # and others go on
        ledger.append(Kind.DROPS, {})
    assert read(folder)[0].problems == []


def without_end(folder: LedgerFolder) -> Ledger:
    """What a process that died leaves open."""
    ledger = Ledger(folder, "watch", ManualClock(5), NEVER_S)
    for _ in range(3):
        ledger.append(Kind.DROPS, {})
    return ledger


def test_a_process_that_died_leaves_a_ledger_that_holds_with_a_note(tmp_path: Path) -> None:
    folder = LedgerFolder(tmp_path / "ledger")
    ledger = without_end(folder)
    report, _ = read(folder)
    assert report.holds
    (note,) = report.notes
    assert "has not ended" in note
    assert "no checkpoint covers any of its records yet" in note
    ledger.checkpoint()
    (note,) = read(folder)[0].notes
    assert note.endswith("has not ended: its process is running, or died")
    ledger.append(Kind.DROPS, {})
    (note,) = read(folder)[0].notes
    assert "no checkpoint covers the last 2 records yet" in note  # one of them tells of the checkpoint
    ledger.close()


def test_a_record_that_was_torn_is_a_note(tmp_path: Path) -> None:
    folder = LedgerFolder(tmp_path / "ledger")
    ledger = without_end(folder)
    ledger.checkpoint()
    (writer,) = folder.writers()
    path = folder.chain(writer)
    data = path.read_bytes()
    for torn in (b"\x05", data[:30], bytes(500)):
        path.write_bytes(data + torn)
        report, entries = read(folder)
        assert report.holds
        assert len(entries) == 4
        assert "the last record was not written to its end" in report.notes[0]
    path.write_bytes(data)
    ledger.close()


def test_a_crash_between_the_end_and_its_signature_is_a_note(tmp_path: Path) -> None:
    written = write_ledger(tmp_path / "ledger", 12)
    path = written.folder.checkpoints
    data = path.read_bytes()
    end = len(data) - len(cut(data)[-1])
    for size in range(end, len(data)):
        path.write_bytes(data[:size])
        report = verify(written.folder, written.verifier)
        assert report.problems == []
        assert "ended, and its process died before that was signed" in report.notes[0]


def states_of_a_dying_process(written: Written, writer: str) -> list[tuple[bytes, bytes]]:
    """Chain and checkpoints after each of the last writes was undone, and in the midst of each."""
    chain, checkpoints = written.folder.chain(writer).read_bytes(), written.folder.checkpoints.read_bytes()
    last_frame, last_checkpoint = len(cut(chain)[-1]), len(cut(checkpoints)[-1])
    signed = checkpoints[:-last_checkpoint]
    closing = [(chain, checkpoints[: len(checkpoints) - size]) for size in range(1, last_checkpoint + 1)]
    return closing + [(chain[: len(chain) - size], signed) for size in range(1, last_frame + 1)]


def test_every_state_in_which_a_process_may_die_holds(tmp_path: Path) -> None:
    written = write_ledger(tmp_path / "ledger", 12)
    writer = written.folder.writers()[-1]  # ended last
    for chain, checkpoints in states_of_a_dying_process(written, writer):
        written.folder.chain(writer).write_bytes(chain)
        written.folder.checkpoints.write_bytes(checkpoints)
        report = verify(written.folder, written.verifier)
        assert report.problems == []
        assert report.notes
        assert not written.verify().holds  # somebody kept what was signed later: no crash
