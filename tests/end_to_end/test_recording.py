"""Recording with the program itself: killed in the middle, what was said to be kept is there."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from audit.recording.layout import FOLDER
from audit.recording.library import Recordings
from pipeline.sources.file import FileSource
from tests.audit.recording.footage import pixels, write_clip
from tests.end_to_end.conftest import Run

pytestmark = pytest.mark.assets


def listed(pinwatch: Run) -> list[dict[str, Any]]:
    done = pinwatch("recordings", "list", "--json")
    assert done.code == 0, done.err
    rows = json.loads(done.out)
    assert isinstance(rows, list)
    return rows


def test_a_killed_recording_can_be_checked_and_replayed(
    pinwatch: Run, environment: dict[str, str], assets: Path, tmp_path: Path
) -> None:
    crowd, data = assets / "clips" / "crowd.mp4", tmp_path / "data"
    program = Path(sys.executable).with_name("pinwatch")
    process = subprocess.Popen([str(program), "watch", str(crowd), "--record", "--realtime"], env=environment)
    try:
        media = _written(data / FOLDER / "crowd" / "0", 300_000, process)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -9
    size = media.stat().st_size
    assert Recordings(data).segments() == []
    done = pinwatch("recordings", "check")
    assert done.code == 0, done.err
    assert "1 segments were cut off by a crash; closed them" in done.out
    assert "1 segments checked: all are as they were" in done.out
    (segment,) = Recordings(data).segments()
    assert (segment.camera_id, segment.recovered) == ("crowd", True)
    assert segment.media_bytes > size * 0.9
    kept = [(frame.pts_ns, pixels(frame)) for frame in Recordings(data).frames("crowd", 0)]
    assert len(kept) == segment.frames > 10
    watched = itertools.islice(FileSource(crowd).frames(), len(kept))
    assert kept == [(frame.pts_ns, pixels(frame)) for frame in watched]


def test_what_is_watched_with_record_is_listed_and_exported(pinwatch: Run, tmp_path: Path) -> None:
    clip, out = write_clip(tmp_path / "gate.mp4", 20, size=(320, 192)), tmp_path / "part.mp4"
    done = pinwatch("watch", clip, "--record", "--started-at", "2026-01-31T08:00:00Z")
    assert done.code == 0, done.err
    assert "dropped" not in done.out
    (row,) = listed(pinwatch)
    assert (row["frames"], row["first_captured_at"]) == (20, "2026-01-31T08:00:00.000000Z")
    times = ("--from", "2026-01-31T08:00:00.5Z", "--to", "2026-01-31T08:00:00.8Z")
    done = pinwatch("recordings", "export", "--camera", "gate", *times, "--out", out)
    assert done.code == 0, done.err
    assert "10 frames from 2026-01-31T08:00:00.000000Z to 2026-01-31T08:00:00.900000Z" in done.out
    assert [pixels(frame) for frame in FileSource(out).frames()] == [
        pixels(frame) for frame in itertools.islice(FileSource(clip).frames(), 10)
    ]


def test_kept_footage_is_watched_again_and_comes_out_the_same(
    pinwatch: Run, assets: Path, tmp_path: Path
) -> None:
    crowd, first, again = assets / "clips" / "crowd.mp4", tmp_path / "first.jsonl", tmp_path / "again.jsonl"
    watched = pinwatch("watch", crowd, "--record", "--run-id", "case", "--sightings", first)
    assert watched.code == 0, watched.err
    for source in ("recorded:crowd", "recorded:crowd:0"):
        done = pinwatch("watch", source, "--run-id", "case", "--sightings", again)
        assert done.code == 0, done.err
        assert sorted(again.read_text().splitlines()) == sorted(first.read_text().splitlines())
    done = pinwatch("watch", "recorded:nobody")
    assert done.code == 1
    assert "no footage of nobody" in done.err
    replayed = pinwatch("replay", "--footage", "--json")
    assert replayed.code == 0, replayed.err
    (report,) = replayed.lines
    assert len(report["tracks"]) == len(first.read_text().splitlines())
    assert all(track["recorded"] == track["derived"] for track in report["tracks"])


def _written(folder: Path, size_bytes: int, process: subprocess.Popen[bytes]) -> Path:
    """The first media file in `folder`, when it has grown to `size_bytes`."""
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        assert process.poll() is None, "it ended too early"
        for path in folder.glob("*.mp4"):
            if path.stat().st_size >= size_bytes:
                return path
        time.sleep(0.02)
    raise AssertionError("nothing was recorded")
