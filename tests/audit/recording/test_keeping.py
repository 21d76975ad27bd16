"""Verifying footage, holding it, and letting it go."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from audit.recording.closed import ClosedSegment, write_record
from audit.recording.holds import Holds
from audit.recording.layout import FOLDER
from audit.recording.library import Recordings
from audit.recording.recovery import recover
from audit.recording.retention import Cause, RetentionPolicy, apply_retention
from audit.recording.verifying import ProblemKind, verify_all, verify_segment
from pipeline.errors import StorageError, UsageError
from tests.audit.recording.footage import CAMERA, SECOND_NS, START_NS, record, write_clip

NO_LIMIT = RetentionPolicy()
NOW_NS = START_NS + 100 * SECOND_NS


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six seconds in three segments, of two cameras each."""
    clip = write_clip(tmp_path / "clip.mp4")
    for camera in (CAMERA, "yard"):
        record(clip, tmp_path, camera_id=camera)
    return tmp_path


@pytest.fixture
def holds(data: Path) -> Holds:
    ids = iter(["h1", "h2", "h3"])
    return Holds(data / FOLDER, now_ns=lambda: NOW_NS, new_id=lambda: next(ids))


def spoil(path: Path, at: int | None = None) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 if at is None else at] ^= 1
    path.write_bytes(raw)


def put_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


HARM: dict[ProblemKind, Callable[[ClosedSegment], None]] = {
    ProblemKind.MISSING: lambda segment: segment.path.unlink(),
    ProblemKind.CHANGED: lambda segment: spoil(segment.path),
    ProblemKind.INDEX_MISSING: lambda segment: segment.paths.index.unlink(),
    ProblemKind.INDEX_CHANGED: lambda segment: spoil(segment.paths.index),
    ProblemKind.RECORD_UNREADABLE: lambda segment: spoil(segment.paths.record, 0),
    ProblemKind.UNREADABLE: lambda segment: put_folder(segment.path),
}


@pytest.mark.parametrize("kind", HARM)
def test_harm_is_found_and_named(data: Path, kind: ProblemKind) -> None:
    recordings = Recordings(data)
    segments = recordings.segments()
    assert [verify_segment(segment) for segment in segments] == [None] * 6
    HARM[kind](segments[1])
    problem = verify_segment(segments[1])
    assert problem is not None
    assert problem.kind == kind
    assert str(problem.path) in problem.text
    assert problem.path.stem == segments[1].path.stem
    assert list(verify_all(recordings)) == [problem]
    assert list(verify_all(recordings, "yard")) == []


def test_a_json_that_was_made_to_fit_does_not_fit_what_the_ledger_knows(data: Path) -> None:
    segment = Recordings(data).segments()[0]
    spoil(segment.path)
    segment.paths.record.unlink()
    recover(data / FOLDER)  # writes a JSON that fits the footage as it is
    assert list(verify_all(Recordings(data))) == []
    problem = verify_segment(segment)
    assert problem is not None
    assert problem.kind == ProblemKind.RECORD_CHANGED


def test_a_json_of_another_segment_or_format_is_refused(data: Path) -> None:
    one, other = Recordings(data).segments("yard")[:2]
    one.paths.record.write_bytes(other.paths.record.read_bytes())
    record = json.loads(other.paths.record.read_bytes())
    other.paths.record.write_text(json.dumps({**record, "format": 2}))
    texts = [problem.text for problem in verify_all(Recordings(data), "yard")]
    assert "other footage" in texts[0]
    assert "newer" in texts[1]


def test_verifying_says_how_far_it_is(data: Path) -> None:
    seen: list[Path] = []
    assert list(verify_all(Recordings(data), seen=seen.append)) == []
    assert len(set(seen)) == 6


def left(data: Path, camera: str = CAMERA) -> list[int]:
    return [segment.first_pts_ns // SECOND_NS for segment in Recordings(data).segments(camera)]


def test_what_is_too_old_goes(data: Path, holds: Holds) -> None:
    # The segments end 98.1, 96.1 and 94.1 seconds ago.
    removed = apply_retention(
        Recordings(data), NO_LIMIT, {CAMERA: RetentionPolicy(max_age_s=95)}, holds, now_ns=NOW_NS
    )
    assert [(one.segment.first_pts_ns // SECOND_NS, one.cause) for one in removed] == [
        (0, Cause.AGE),
        (2, Cause.AGE),
    ]
    assert left(data) == [4]
    assert left(data, "yard") == [0, 2, 4]
    assert len(list((data / FOLDER / CAMERA / "0").iterdir())) == 3


def test_what_is_too_much_goes_the_oldest_first(data: Path, holds: Holds) -> None:
    first, second, third = Recordings(data).segments(CAMERA)
    policy = RetentionPolicy(max_bytes=second.bytes + third.bytes)
    removed = apply_retention(Recordings(data), policy, {"yard": NO_LIMIT}, holds, now_ns=NOW_NS)
    assert [(one.segment, one.cause) for one in removed] == [(first, Cause.BYTES)]
    assert left(data) == [2, 4]


def test_footage_without_capture_times_is_as_old_as_its_closing(data: Path, holds: Holds) -> None:
    for segment in Recordings(data).segments("yard"):
        closed_at_ns = NOW_NS - segment.first_pts_ns
        write_record(
            replace(segment, first_captured_at_ns=None, last_captured_at_ns=None, closed_at_ns=closed_at_ns)
        )
    policies = {"yard": RetentionPolicy(max_age_s=3)}
    apply_retention(Recordings(data), NO_LIMIT, policies, holds, now_ns=NOW_NS)
    assert left(data, "yard") == [0, 2]
    holds.add(camera="yard", from_ns=0, to_ns=1, reason="a case", by="Ada")
    apply_retention(Recordings(data), RetentionPolicy(max_bytes=0), {}, holds, now_ns=NOW_NS)
    assert (left(data, "yard"), left(data)) == ([0, 2], [])  # nobody knows when it was: it stays


def test_what_is_held_stays_whatever_the_policy(data: Path, holds: Holds) -> None:
    hold = holds.add(
        camera=CAMERA,
        from_ns=START_NS + 2 * SECOND_NS,
        to_ns=START_NS + 3 * SECOND_NS,
        reason="a case",
        by="Ada",
    )
    nothing = RetentionPolicy(max_bytes=0)
    apply_retention(Recordings(data), nothing, {}, holds, now_ns=NOW_NS)
    assert left(data) == [2]
    assert left(data, "yard") == []
    assert holds.release(hold.id) == hold
    apply_retention(Recordings(data), nothing, {}, holds, now_ns=NOW_NS)
    assert left(data) == []


def test_a_deletion_that_was_cut_short_is_finished(data: Path, holds: Holds) -> None:
    segment = Recordings(data).segments(CAMERA)[0]
    segment.path.unlink()
    apply_retention(Recordings(data), RetentionPolicy(max_age_s=97), {}, holds, now_ns=NOW_NS)
    assert left(data) == [2, 4]
    assert not segment.paths.any_exists()


def test_empty_epochs_go_but_the_last(data: Path, holds: Holds) -> None:
    record(data / "clip.mp4", data, epoch=7)
    apply_retention(Recordings(data), RetentionPolicy(max_bytes=0), {}, holds, now_ns=NOW_NS)
    assert [path.name for path in (data / FOLDER / CAMERA).iterdir()] == ["7"]


def test_holds_outlive_the_process_and_say_who_and_why(data: Path, holds: Holds) -> None:
    first = holds.add(camera=None, from_ns=1, to_ns=2, reason="Fall 4711 é", by="Ada")
    second = holds.add(camera="../x", from_ns=1, to_ns=1, reason="b", by="Bo")
    again = Holds(data / FOLDER, now_ns=lambda: 0)
    assert again.list() == (first, second)
    assert (first.id, first.at_ns, first.by, first.reason) == ("h1", NOW_NS, "Ada", "Fall 4711 é")
    again.release("h1")
    assert holds.list() == (second,)
    with pytest.raises(UsageError, match="h2"):
        holds.release("h1")


def test_holds_need_a_reason_and_times_the_right_way_round(holds: Holds) -> None:
    with pytest.raises(UsageError, match="reason"):
        holds.add(camera=None, from_ns=1, to_ns=2, reason=" ", by="Ada")
    with pytest.raises(UsageError, match="exchange"):
        holds.add(camera=None, from_ns=2, to_ns=1, reason="a", by="Ada")
    assert holds.list() == ()


@pytest.mark.parametrize("text", ["", "{", '{"format": 1, "holds": [{}]}', '{"format": 9, "holds": []}'])
def test_nothing_is_deleted_while_the_holds_cannot_be_read(data: Path, holds: Holds, text: str) -> None:
    holds.path.write_text(text)
    with pytest.raises(StorageError, match=r"holds\.json"):
        apply_retention(Recordings(data), RetentionPolicy(max_bytes=0), {}, holds, now_ns=NOW_NS)
    with pytest.raises(StorageError, match=r"holds\.json"):
        holds.add(camera=None, from_ns=1, to_ns=2, reason="a", by="Ada")
    assert holds.path.read_text() == text
    assert left(data) == [0, 2, 4]


def test_a_hold_waits_for_a_deletion_that_is_under_way(data: Path, holds: Holds) -> None:
    added = threading.Event()

    def add() -> None:
        Holds(data / FOLDER, now_ns=lambda: 0).add(camera=None, from_ns=1, to_ns=2, reason="a", by="Ada")
        added.set()

    thread = threading.Thread(target=add)
    with holds.locked():
        thread.start()
        assert not added.wait(0.1)
    thread.join(5)
    assert added.is_set()


@pytest.mark.parametrize("how", [{"max_age_s": -1}, {"max_bytes": -1}])
def test_limits_are_not_negative(how: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="negative"):
        RetentionPolicy(**how)
