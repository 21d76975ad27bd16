"""Crops and footage are verified by the ledger: whatever is changed is found, and the record named."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from audit.ledger.entries import Kind
from audit.ledger.reader import records
from audit.ledger.report import Report
from audit.ledger.signing import Verifier
from audit.recording.holds import Holds
from audit.recording.library import Recordings
from audit.recording.retention import RetentionPolicy, apply_retention
from audit.verification import verify_folder
from pipeline.clock import SystemClock
from tests.audit.recorded import World
from tests.audit.recording.footage import CAMERA, record, write_clip
from workers.trail import SegmentRecorder

RED = (200, 0, 0)


@pytest.fixture
def footage(recorded: World) -> World:
    """Four segments and the crops of two tracks, all in the ledger."""
    record(write_clip(recorded.data.parent / "clip.mp4", 40), recorded.data, segment_s=0.5)
    keeps = SegmentRecorder(lambda: recorded.ledger, recorded.data / "recordings")
    for segment in Recordings(recorded.data).segments():
        keeps.closed(segment)
    for track in (1, 2):
        recorded.decide(track, RED)
    recorded.ledger.checkpoint()
    return recorded


def verified(recorded: World) -> Report:
    return verify_folder(recorded.data, recorded.folder, Verifier.read(recorded.folder.public_key))


def told_files(recorded: World) -> dict[Path, int]:
    """Every file of which the ledger tells, and the number of the record that does."""
    files: dict[Path, int] = {}

    for record_ in records(recorded.folder, {Kind.SEGMENT, Kind.CROPS}):
        fields = record_.entry.fields
        if record_.entry.kind == Kind.SEGMENT:
            media = recorded.data / "recordings" / fields["file"]
            files[media] = files[media.with_suffix(".index")] = record_.number
        else:
            track = fields["scope"].rpartition(":")[2]
            (path,) = recorded.data.rglob(f"0-{track}.crops")
            files[path] = record_.number
    return files


def test_untouched_everything_holds(footage: World) -> None:
    footage.ledger.close()
    report = verified(footage)
    assert (report.problems, report.notes) == ([], [])
    assert len(told_files(footage)) == 2 * len(Recordings(footage.data).segments()) + 2


def test_any_change_of_any_file_is_found_and_its_record_named(footage: World) -> None:
    chance = random.Random(0)
    files = told_files(footage)
    for path, number in sorted(files.items()):
        whole = path.read_bytes()
        for _ in range(40):
            path.write_bytes(_changed(whole, chance))
            (problem,) = verified(footage).problems
            assert problem.record == number, path
        path.write_bytes(whole)
    assert verified(footage).holds


def _changed(whole: bytes, chance: random.Random) -> bytes:
    """A bit flipped, a block exchanged, bytes lost, or the end cut off."""
    data, at = bytearray(whole), chance.randrange(len(whole))
    match chance.randrange(4):
        case 0:
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            data[at : at + 16] = chance.randbytes(len(data[at : at + 16]))
        case 2:
            del data[at : at + chance.randrange(1, 9)]
        case _:
            del data[at:]
    return bytes(data) if bytes(data) != whole else bytes(data[:-1])


def test_files_that_are_lost_exchanged_or_renamed_are_found(footage: World) -> None:
    files = sorted(told_files(footage))
    for path in files:
        whole = path.read_bytes()
        path.unlink()
        (problem,) = verified(footage).problems
        assert "gone" in problem.what
        path.write_bytes(whole)
    media = [path for path in files if path.suffix == ".mp4"]
    one, other = media[0].read_bytes(), media[1].read_bytes()
    media[0].write_bytes(other)
    media[1].write_bytes(one)
    assert len(verified(footage).problems) == 2
    media[0].write_bytes(one)
    media[1].write_bytes(other)
    assert verified(footage).holds


def test_footage_of_which_no_record_tells_is_named(footage: World) -> None:
    (first, *_) = Recordings(footage.data).segments()
    folder = first.path.parent
    for suffix in (".mp4", ".index", ".json"):
        copy = folder / f"{999:020d}{suffix}"
        copy.write_bytes(first.path.with_suffix(suffix).read_bytes())
    footage.ledger.close()
    (note,) = verified(footage).notes
    assert f"{CAMERA}/0/{999:020d}" in note


def test_what_was_deleted_by_retention_is_not_missing(footage: World) -> None:
    keeps = SegmentRecorder(lambda: footage.ledger, footage.data / "recordings")
    recordings, clock = Recordings(footage.data), SystemClock()
    before = len(recordings.segments())
    removed = list(
        apply_retention(
            recordings,
            RetentionPolicy(max_bytes=1),
            {},
            Holds(recordings.root, now_ns=clock.now_ns),
            now_ns=clock.now_ns(),
            on_removed=keeps.removed,
        )
    )
    assert 0 < len(removed) <= before
    assert verified(footage).holds
