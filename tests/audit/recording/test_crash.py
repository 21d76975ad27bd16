"""A recorder that is killed at any instant, and what is left of its footage."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from audit.recording.layout import FOLDER
from audit.recording.library import Recordings
from audit.recording.recovery import recover
from audit.recording.verifying import verify_all
from tests.audit.recording.footage import SECOND_NS, Shown, replayed, shown, write_clip

REPOSITORY = Path(__file__).resolve().parents[3]


def kill_while_recording(clip: Path, data: Path, pause_s: float, after_s: float) -> list[tuple[int, int]]:
    """Record in another process and kill it so long after its first frame; the frames it had recorded."""
    command = [sys.executable, "-m", "tests.audit.recording.footage", str(clip), str(data), str(pause_s)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(after_s)
        process.kill()
        lines = (first + process.stdout.read()).splitlines()
    return [(int(epoch), int(pts_ns)) for epoch, pts_ns in (line.split() for line in lines)]


def check(data: Path, given: list[tuple[int, int]], wanted: Shown) -> None:
    """All that was given is there, but for the last second; it is what it was; and it verifies."""
    recover(data / FOLDER)
    last_epoch, last_ns = given[-1]
    for epoch in range(last_epoch):
        assert replayed(data, epoch=epoch) == wanted
    found = replayed(data, epoch=last_epoch)
    assert found == [one for one in wanted if one in found]
    # Packets come in the order of decoding: the last of them may show what comes before others.
    assert {one for one in wanted if one[0] <= last_ns - SECOND_NS} <= set(found)
    assert list(verify_all(Recordings(data))) == []


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture(scope="module")
def crowd(assets: Path) -> tuple[Path, Shown]:
    path = assets / "clips" / "crowd.mp4"
    return path, shown(path)


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_recorder_loses_less_than_the_last_second(tmp_path: Path, clip: Path, seed: int) -> None:
    # Ten times as fast as real time, so that a kill falls anywhere in many segments.
    given = kill_while_recording(clip, tmp_path, 0.01, random.Random(seed).uniform(0.05, 1.0))
    check(tmp_path, given, shown(clip))


@pytest.mark.assets
@pytest.mark.parametrize("seed", range(5))
def test_the_same_with_the_clip_of_a_crowd(tmp_path: Path, crowd: tuple[Path, Shown], seed: int) -> None:
    clip, wanted = crowd
    check(tmp_path, kill_while_recording(clip, tmp_path, 0, random.Random(seed).uniform(0.1, 0.9)), wanted)
