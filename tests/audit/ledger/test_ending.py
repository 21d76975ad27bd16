"""Chains of processes that died are ended and signed by whoever writes next."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from audit.ledger.checkpoints import add_checkpoint
from audit.ledger.ending import end_dead_chains
from audit.ledger.entries import Entry, Kind, encode_entry
from audit.ledger.folder import LedgerFolder
from audit.ledger.frames import beginning, read_frames
from audit.ledger.signing import Signer, Verifier
from audit.ledger.verify import Report, verify
from audit.ledger.writer import Ledger
from pipeline.clock import ManualClock, SystemClock
from tests.audit.ledger.ledgers import NEVER_S, body_of, cut, framed, start_of

NOW_NS = 7
UNSIGNED = 3


@pytest.fixture
def folder(tmp_path: Path) -> LedgerFolder:
    return LedgerFolder(tmp_path / "ledger")


def die(folder: LedgerFolder, signed: int = 2, unsigned: int = UNSIGNED) -> str:
    """What a process leaves that signed some records, wrote some more, and was killed; name of its chain."""
    ledger = Ledger(folder, "watch", ManualClock(5), NEVER_S)
    for number in range(signed):
        ledger.append(Kind.DECISION, {"id": number})
    ledger.checkpoint()
    for number in range(unsigned):
        ledger.append(Kind.DECISION, {"id": f"unsigned {number}"})
    (writer,) = folder.begun()
    chain, begun = folder.chain(writer).read_bytes(), folder.chain(writer).with_suffix(".begun")
    checkpoints = folder.checkpoints.read_bytes()
    ledger.close()
    folder.chain(writer).write_bytes(chain)
    folder.checkpoints.write_bytes(checkpoints)
    begun.touch()
    return writer


def end(folder: LedgerFolder) -> list[str]:
    return end_dead_chains(folder, Signer.of(folder), "next", NOW_NS)


def check(folder: LedgerFolder) -> Report:
    return verify(folder, Verifier.read(folder.public_key))


def forged(folder: LedgerFolder, writer: str, keep: int, *bodies: bytes) -> None:
    """The chain as somebody writes it who knows how, and has no key."""
    path = folder.chain(writer)
    frames = cut(path.read_bytes())[:keep] if path.exists() else []
    before = frames[-1][-32:] if frames else start_of(writer)
    for body in bodies:
        frames.append(framed(before, body))
        before = frames[-1][-32:]
    path.write_bytes(b"".join(frames))


def test_what_was_not_signed_is_signed_by_the_next_and_says_so(folder: LedgerFolder) -> None:
    writer = die(folder)
    assert "no checkpoint covers the last 4 records yet" in check(folder).notes[0]
    assert end(folder) == [writer]
    report = check(folder)
    assert report.problems == []
    assert report.notes == [
        f"{writer} was ended by next, since its process had died; its last 3 records were signed only then"
    ]
    assert (end(folder), folder.begun()) == ([], [])


def test_from_then_on_nothing_of_it_can_be_changed_or_added(folder: LedgerFolder) -> None:
    writer = die(folder)
    end(folder)
    path = folder.chain(writer)
    good = path.read_bytes()
    body = encode_entry(Entry(Kind.DECISION, 5, {"id": "another"}))
    last_unsigned = len(cut(good)) - 2
    forged(folder, writer, last_unsigned, body, body_of(cut(good)[-1]))
    assert [problem.chain for problem in check(folder).problems] == [writer]
    forged(folder, writer, last_unsigned)
    assert [problem.chain for problem in check(folder).problems] == [writer]
    path.write_bytes(good)
    forged(folder, writer, len(cut(good)), body)
    assert "follows the end of the chain" in check(folder).problems[0].what


def test_a_torn_record_is_cut_off(folder: LedgerFolder) -> None:
    writer = die(folder)
    with folder.chain(writer).open("ab") as file:
        file.write(b"\x50\x00\x00\x00torn")
    assert end(folder) == [writer]
    assert check(folder).problems == []


def test_a_process_that_signed_everything_is_ended_likewise(folder: LedgerFolder) -> None:
    writer = die(folder, unsigned=0)
    assert end(folder) == [writer]
    (note,) = check(folder).notes
    assert note.endswith("all its records had been signed")


def test_a_chain_that_is_written_to_is_left_alone(folder: LedgerFolder) -> None:
    with Ledger(folder, "watch", ManualClock(5), NEVER_S) as ledger:
        ledger.append(Kind.DROPS, {})
        ledger.checkpoint()
        assert end(folder) == []
        ledger.append(Kind.DROPS, {})
    assert (check(folder).problems, check(folder).notes, folder.begun()) == ([], [], [])


def test_a_chain_that_nobody_signed_is_left_alone(folder: LedgerFolder) -> None:
    die(folder)
    writer = "00000000000000000001-watch-1-abcdabcd"
    folder.note_begun(writer)
    forged(folder, writer, 0, encode_entry(Entry(Kind.DECISION, 5, {"id": "mine"})))
    assert writer not in end(folder)
    notes = [note for note in check(folder).notes if note.startswith(writer)]
    assert "no checkpoint covers any of its records yet" in notes[0]


@pytest.mark.parametrize("keep", [1, 0])
def test_a_chain_that_is_not_as_it_was_signed_is_left_alone(folder: LedgerFolder, keep: int) -> None:
    writer = die(folder)
    body = encode_entry(Entry(Kind.DECISION, 5, {"id": "mine"}))
    forged(folder, writer, keep, *[body] * (5 * keep))
    assert end(folder) == []
    assert [problem.chain for problem in check(folder).problems] == [writer]


def test_an_end_of_its_own_that_is_not_signed_stays_a_note(folder: LedgerFolder) -> None:
    writer = die(folder)
    forged(folder, writer, 6, encode_entry(Entry(Kind.CLOSED, 5, {})))
    assert end(folder) == []
    assert "or the newest checkpoints were removed" in check(folder).notes[0]


def test_whoever_dies_between_the_end_and_its_signature_is_followed_by_another(folder: LedgerFolder) -> None:
    writer = die(folder)
    before = folder.checkpoints.read_bytes()
    end(folder)
    folder.checkpoints.write_bytes(before)
    folder.note_begun(writer)
    assert end(folder) == [writer]
    report = check(folder)
    assert (report.problems, len(report.notes)) == ([], 1)
    assert "was ended by next" in report.notes[0]


def test_a_process_that_lasts_does_so_by_itself(folder: LedgerFolder) -> None:
    writer = die(folder)
    with Ledger(folder, "next", SystemClock(), 0.02) as ledger:
        ledger.append(Kind.DROPS, {})
        deadline_s = time.monotonic() + 30
        while writer in folder.begun():
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
    report = check(folder)
    assert report.problems == []
    assert [f"{writer} was ended by" in note for note in report.notes] == [True]


def test_others_find_their_checkpoints_again(folder: LedgerFolder) -> None:
    """Signing for another chain is one more checkpoint in the same chain of them."""
    die(folder)
    end(folder)
    with Ledger(folder, "watch", ManualClock(9), NEVER_S) as ledger:
        ledger.append(Kind.DROPS, {})
    assert check(folder).problems == []
    writers = folder.writers()
    frames = list(read_frames(folder.chain(writers[0]), beginning(writers[0])))
    add_checkpoint(folder, Signer.of(folder), {writers[0]: frames[-1].end.head}, 11)
    assert check(folder).problems == []
