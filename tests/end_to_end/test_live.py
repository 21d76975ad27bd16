"""`pinwatch watch` on a real RTSP camera: it names people, follows the gallery, and keeps secrets."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import Run
from tests.rtsp.camera import RtspServer

pytestmark = [pytest.mark.assets, pytest.mark.rtsp]

Line = dict[str, Any]


class Watching:
    """`pinwatch watch` in the background, and the lines that it has written so far."""

    def __init__(self, environment: dict[str, str], target: Path, *arguments: str) -> None:
        self._target = target
        program = Path(sys.executable).with_name("pinwatch")
        self._process = subprocess.Popen(
            [str(program), "watch", *arguments, "--sightings", str(target)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def lines(self) -> list[Line]:
        if not self._target.exists():
            return []
        return [json.loads(line) for line in self._target.read_text().splitlines()]

    def wait_for(self, wanted: Callable[[list[Line]], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not wanted(self.lines()):
            assert self._process.poll() is None, self._process.communicate()
            assert time.monotonic() < deadline, self.lines()
            time.sleep(0.2)

    def stop(self) -> tuple[int, str, str]:
        self._process.send_signal(signal.SIGINT)
        killer = threading.Timer(60, self._process.kill)
        killer.start()
        out, err = self._process.communicate()
        killer.cancel()
        return self._process.returncode, out, err


def test_a_person_enrolled_while_the_camera_runs_is_named_without_a_restart(
    pinwatch: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    pytest.importorskip("skimage")
    from workers.demo.footage import compose
    from workers.demo.portraits import grace_hopper_path

    footage = tmp_path / "footage.mp4"
    for _ in compose(footage):
        pass
    with RtspServer(footage, main=(1280, 720), user="viewer", password="s3cret-word") as server:
        done = pinwatch("cameras", "add", "gate", server.url())
        assert done.code == 0, done.err
        watching = Watching(environment, tmp_path / "live.jsonl", "gate")
        watching.wait_for(lambda lines: len(lines) >= 2, 90)
        assert {line["outcome"] for line in watching.lines()} <= {"unknown", "low_quality"}
        done = pinwatch("gallery", "enroll", "Grace Hopper", grace_hopper_path())
        assert done.code == 0, done.err
        watching.wait_for(lambda lines: any(line["subject"] == "Grace Hopper" for line in lines), 90)
        code, out, err = watching.stop()
    assert code == 0, err
    lines = watching.lines()
    assert all(line["stream_epoch"] >= 1 and line["first_seen_at"] for line in lines)
    assert {line["camera_id"] for line in lines} == {"gate"}
    named = [line for line in lines if line["outcome"] == "known"]
    assert {line["gallery_epoch"] for line in named} == {1}
    listed = pinwatch("cameras", "list")
    assert "gate" in listed.out
    for text in (out, err, (tmp_path / "live.jsonl").read_text(), listed.out, listed.err):
        assert "s3cret-word" not in text
