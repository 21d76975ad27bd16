"""What people are told of a ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.ledger.entries import Entry, Kind
from audit.ledger.folder import LedgerFolder
from audit.ledger.frames import Frame
from audit.ledger.signing import Verifier
from audit.ledger.verify import verify
from audit.ledger.writer import Ledger
from pipeline.clock import ManualClock
from pipeline.errors import LedgerCorrupt
from tests.audit.ledger.ledgers import NEVER_S, Written, cut, write_ledger


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return write_ledger(tmp_path / "ledger", 30)


def told(written: Written) -> list[str]:
    return [str(problem) for problem in verify(written.folder, written.verifier).problems]


def test_a_folder_without_a_ledger_is_an_error(tmp_path: Path, written: Written) -> None:
    with pytest.raises(LedgerCorrupt, match="there is no ledger in"):
        verify(LedgerFolder(tmp_path / "nowhere"), written.verifier)
    written.folder.about.unlink()
    with pytest.raises(LedgerCorrupt, match="there is no ledger in"):
        verify(written.folder, written.verifier)


def test_every_record_is_shown_in_order(written: Written) -> None:
    shown: list[tuple[str, Frame, Entry]] = []
    report = verify(written.folder, written.verifier, watcher=lambda *record: shown.append(record))
    assert len(shown) == report.records
    assert sorted(shown, key=lambda one: (one[0], one[1].number)) == shown
    assert {entry.kind for _, _, entry in shown} == {"session", "decision", "checkpoint", "closed"}


def test_nothing_behind_a_bad_record_is_shown(written: Written) -> None:
    writer = written.folder.writers()[0]
    path = written.folder.chain(writer)
    frames = cut(path.read_bytes())
    path.write_bytes(b"".join([*frames[:4], b"x", *frames[4:]]))
    shown: list[int] = []

    def watch(chain: str, frame: Frame, _: Entry) -> None:
        if chain == writer:
            shown.append(frame.number)

    report = verify(written.folder, written.verifier, watcher=watch)
    assert shown == [0, 1, 2, 3]
    assert report.records == 4 + sum(
        len(cut(written.folder.chain(one).read_bytes())) for one in _others(written)
    )


def _others(written: Written) -> list[str]:
    return written.folder.writers()[1:]


def test_a_changed_record_in_words(written: Written) -> None:
    writer = written.folder.writers()[1]
    path = written.folder.chain(writer)
    path.write_bytes(path.read_bytes().replace(b"decision_id", b"decisionXid", 1))
    assert told(written) == [f"{writer}, record 1: is not what was written"]


def test_a_chain_cut_off_in_words(written: Written) -> None:
    writer = written.folder.writers()[1]
    path = written.folder.chain(writer)
    frames = cut(path.read_bytes())
    path.write_bytes(b"".join(frames[:4]))
    last = len(frames) - 1
    assert told(written) == [
        f"{writer}, record 4: is gone, and so is every one up to {last}: a checkpoint covers it"
    ]
    path.write_bytes(b"".join(frames[:-1]))
    assert told(written) == [f"{writer}, record {last}: is gone: a checkpoint covers it"]


def test_checkpoints_cut_off_in_words(written: Written) -> None:
    path = written.folder.checkpoints
    frames = cut(path.read_bytes())
    path.write_bytes(b"")
    (first, *_) = told(written)
    assert first.startswith("checkpoints, record 0: is gone: record ")
    path.unlink()
    (first, *_) = told(written)
    assert first == "checkpoints, record 0: is gone, and so is every other: the file does not exist"
    path.write_bytes(b"".join(frames[:2]))
    kept = written.verify().problems
    last = len(frames) - 1
    assert str(kept[0]) == (
        f"checkpoints, record 2: is gone, and so is every one up to {last}: that one was kept elsewhere"
    )


def test_a_ledger_of_short_sessions_whose_checkpoints_were_removed_does_not_hold(tmp_path: Path) -> None:
    folder = LedgerFolder(tmp_path / "ledger")
    for _ in range(3):
        with Ledger(folder, "gallery", ManualClock(5), NEVER_S) as ledger:
            ledger.append(Kind.GALLERY, {})
    folder.checkpoints.unlink()
    report = verify(folder, Verifier.read(folder.public_key))
    assert [(problem.chain, problem.record) for problem in report.problems] == [("checkpoints", 0)]


def test_a_chain_that_cannot_be_read_is_named(written: Written) -> None:
    writer = written.folder.writers()[1]
    written.folder.chain(writer).unlink()
    written.folder.chain(writer).mkdir()
    assert told(written) == [f"{writer}: cannot be read: Is a directory"]


def test_a_chain_that_nobody_signed_is_noted(written: Written) -> None:
    """Whoever can write to the folder can add one; only a signature would prove that it is ours."""
    other = write_ledger(written.folder.root.parent / "elsewhere" / "ledger", 6)
    writer = other.folder.writers()[0]
    written.folder.chain(writer).write_bytes(other.folder.chain(writer).read_bytes())
    report = written.verify()
    assert report.holds
    assert "nothing proves who wrote them" in report.notes[0]


def test_records_that_come_while_it_is_verified_are_no_fault(tmp_path: Path) -> None:
    folder = LedgerFolder(tmp_path / "ledger")
    with Ledger(folder, "watch", ManualClock(5), NEVER_S) as ledger:
        ledger.append(Kind.DROPS, {})
        again = [1, 2, 3]

        def meanwhile(*_: object) -> None:
            if again:
                again.pop()
                ledger.append(Kind.DROPS, {})
                ledger.checkpoint()

        report = verify(folder, Verifier.read(folder.public_key), watcher=meanwhile)
        assert again == []
        assert report.problems == []
        assert report.checkpoints == 3  # and those are read on that a record told of
