"""Writing to the ledger, from threads and processes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit.ledger.entries import Entry, Kind
from audit.ledger.folder import LedgerFolder
from audit.ledger.signing import Verifier
from audit.ledger.verify import Report, verify
from audit.ledger.writer import Ledger
from pipeline.clock import ManualClock, SystemClock
from pipeline.errors import LedgerCorrupt, StorageError
from tests.audit.ledger.ledgers import NEVER_S

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> LedgerFolder:
    return LedgerFolder(tmp_path / "ledger")


@pytest.fixture
def ledger(folder: LedgerFolder) -> Iterator[Ledger]:
    ledger = Ledger(folder, "watch", ManualClock(5), NEVER_S)
    yield ledger
    ledger.close()


def read(folder: LedgerFolder) -> tuple[Report, list[tuple[str, Entry]]]:
    entries: list[tuple[str, Entry]] = []
    report = verify(
        folder,
        Verifier.read(folder.public_key),
        watcher=lambda chain, _, entry: entries.append((chain, entry)),
    )
    return report, entries


def kinds(folder: LedgerFolder) -> list[str]:
    return [entry.kind for _, entry in read(folder)[1]]


def scribe(folder: LedgerFolder, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.audit.ledger.scribe", str(folder.root), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)


def test_records_are_there_as_soon_as_append_returns(ledger: Ledger, folder: LedgerFolder) -> None:
    ledger.append(Kind.SESSION, {"program": "watch"})
    ledger.extend([(Kind.DROPS, {"late": 1}), (Kind.DROPS, {"late": 2})])
    report, entries = read(folder)
    assert report.holds
    assert [(entry.kind, entry.at_ns, entry.fields) for _, entry in entries] == [
        ("session", 5, {"program": "watch"}),
        ("drops", 5, {"late": 1}),
        ("drops", 5, {"late": 2}),
    ]


def test_whoever_records_nothing_leaves_no_chain(ledger: Ledger, folder: LedgerFolder) -> None:
    ledger.extend([])
    ledger.checkpoint()
    ledger.close()
    report, _ = read(folder)
    assert (report.holds, report.chains, report.checkpoints) == (True, 0, 0)


def test_a_chain_that_ended_says_so_and_is_signed_to_its_end(ledger: Ledger, folder: LedgerFolder) -> None:
    ledger.append(Kind.DROPS, {})
    ledger.close()
    report, _ = read(folder)
    assert (report.holds, report.notes, report.checkpoints) == (True, [], 1)
    assert kinds(folder) == ["drops", "closed"]


def test_closing_twice_ends_the_chain_once(ledger: Ledger, folder: LedgerFolder) -> None:
    ledger.append(Kind.DROPS, {})
    ledger.close()
    ledger.close()
    assert kinds(folder) == ["drops", "closed"]


def test_what_comes_after_the_end_is_refused_aloud(ledger: Ledger, folder: LedgerFolder) -> None:
    ledger.append(Kind.DROPS, {})
    ledger.close()
    with pytest.raises(StorageError, match="the ledger is closed"):
        ledger.append(Kind.DROPS, {})
    assert kinds(folder) == ["drops", "closed"]


def test_a_checkpoint_is_signed_where_there_is_something_to_sign(
    ledger: Ledger, folder: LedgerFolder
) -> None:
    ledger.append(Kind.DROPS, {})
    ledger.checkpoint()
    ledger.checkpoint()
    ledger.append(Kind.DROPS, {})
    ledger.checkpoint()
    assert kinds(folder) == ["drops", "checkpoint", "drops", "checkpoint"]
    assert read(folder)[0].checkpoints == 2


def test_a_thread_signs_by_itself(folder: LedgerFolder) -> None:
    with Ledger(folder, "watch", SystemClock(), 0.02) as ledger:
        ledger.append(Kind.DROPS, {})
        until = time.monotonic() + 10
        while kinds(folder) != ["drops", "checkpoint"]:
            assert time.monotonic() < until
            time.sleep(0.01)
    assert read(folder)[0].notes == []


def test_the_first_checkpoint_does_not_wait_for_the_usual_time(folder: LedgerFolder) -> None:
    with Ledger(folder, "watch", SystemClock(), NEVER_S) as ledger:
        ledger.append(Kind.DROPS, {})
        until = time.monotonic() + 10
        while read(folder)[0].checkpoints == 0:
            assert time.monotonic() < until
            time.sleep(0.05)


def test_the_signing_thread_survives_what_it_cannot_write(folder: LedgerFolder) -> None:
    with Ledger(folder, "watch", SystemClock(), 0.02) as ledger:
        folder.checkpoints.unlink()
        folder.checkpoints.mkdir()
        ledger.append(Kind.DROPS, {})
        time.sleep(0.1)
        folder.checkpoints.rmdir()
        folder.checkpoints.touch()
        until = time.monotonic() + 10
        while kinds(folder) != ["drops", "checkpoint"]:
            assert time.monotonic() < until
            time.sleep(0.01)


def test_an_end_that_could_not_be_signed_is_no_fault_and_ends_the_chain_once(
    ledger: Ledger, folder: LedgerFolder
) -> None:
    ledger.append(Kind.DROPS, {})
    folder.checkpoints.unlink()
    folder.checkpoints.mkdir()
    with pytest.raises(StorageError, match="cannot write"):
        ledger.close()
    ledger.close()
    folder.checkpoints.rmdir()
    folder.checkpoints.touch()
    report, entries = read(folder)
    assert report.holds
    assert [entry.kind for _, entry in entries] == ["drops", "closed"]
    assert "died before that was signed" in report.notes[0]


def test_a_long_chain_goes_on_in_another(folder: LedgerFolder) -> None:
    with Ledger(folder, "watch", SystemClock(), NEVER_S, max_records=10) as ledger:
        for number in range(25):
            ledger.append(Kind.DROPS, {"number": number})
    report, entries = read(folder)
    assert (report.holds, report.notes, report.chains) == (True, [], 3)
    said = [entry.fields["number"] for _, entry in entries if entry.kind == Kind.DROPS]
    assert said == list(range(25))


def test_no_record_of_any_thread_is_lost(folder: LedgerFolder) -> None:
    with Ledger(folder, "watch", SystemClock(), 0.01, max_records=500) as ledger:

        def write(thread: int) -> None:
            for number in range(200):
                ledger.append(Kind.DROPS, {"thread": thread, "number": number})

        threads = [threading.Thread(target=write, args=(thread,)) for thread in range(8)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    report, entries = read(folder)
    assert (report.problems, report.notes) == ([], [])
    said: dict[int, list[int]] = {}
    for _, entry in entries:
        if entry.kind == Kind.DROPS:
            said.setdefault(entry.fields["thread"], []).append(entry.fields["number"])
    assert said == {thread: list(range(200)) for thread in range(8)}


def test_two_processes_write_at_once(folder: LedgerFolder) -> None:
    started = [scribe(folder, name, "steadily", "60") for name in ("one", "two")]
    said = [process.communicate(timeout=60)[0].split()[1:] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    report, entries = read(folder)
    assert (report.problems, report.notes, report.chains) == ([], [], 2)
    for name, lines in zip(("one", "two"), said, strict=True):
        found = [entry.fields["id"] for chain, entry in entries if f"-{name}-" in chain and _says(entry)]
        assert found == lines == [f"{name}-{number}" for number in range(60)]


def _says(entry: Entry) -> bool:
    return entry.kind == Kind.DECISION


def test_a_full_disk_loses_nothing_that_was_there_and_room_brings_it_back(folder: LedgerFolder) -> None:
    said, _ = (process := scribe(folder, "full", "full", "0")).communicate(timeout=60)
    assert process.returncode == 0
    _, error, written = said.splitlines()
    assert "is the disk full? Nothing recorded before is lost" in error
    report, entries = read(folder)
    assert (report.problems, report.notes) == ([], [])
    found = [entry.fields["id"] for _, entry in entries if _says(entry)]
    assert len(found) == int(written) + 2
    assert (found[0], found[-1]) == ("first", "last")


@pytest.mark.parametrize(
    ("name", "readable"), [("Watch Gate 3", "watch-gate-3"), ("../../x", "x"), ("é", "process")]
)
def test_a_chain_is_called_by_its_time_and_its_program(
    folder: LedgerFolder, name: str, readable: str
) -> None:
    with Ledger(folder, name, ManualClock(7), NEVER_S) as ledger:
        ledger.append(Kind.DROPS, {})
    (writer,) = folder.writers()
    assert writer.startswith(f"{7:020d}-{readable}-")


def test_a_ledger_whose_key_is_gone_is_refused_before_anything_is_recorded(folder: LedgerFolder) -> None:
    with Ledger(folder, "watch", SystemClock()) as ledger:
        ledger.append(Kind.DROPS, {})
    folder.private_key.unlink()
    with pytest.raises(LedgerCorrupt, match="is gone"):
        Ledger(folder, "watch", SystemClock())


@pytest.mark.parametrize("fields", [{"text": "Zoë"}, {"bytes": b"\0\xff"}, {"none": None, "list": [1, 2.5]}])
def test_fields_come_back(ledger: Ledger, folder: LedgerFolder, fields: dict[str, Any]) -> None:
    ledger.append(Kind.ACCESS, fields)
    assert read(folder)[1][0][1].fields == fields
