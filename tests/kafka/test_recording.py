"""Readers on Kafka keep the footage of what they read."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.recording.layout import FOLDER
from audit.recording.library import Recordings
from audit.recording.verifying import verify_all
from tests.audit.recording.footage import pixels, shown, write_clip
from tests.kafka.crew import Crew, environment, wait_until
from tests.rtsp.camera import RtspServer
from workers.bus.kafka.options import KafkaOptions

pytestmark = [pytest.mark.kafka, pytest.mark.assets, pytest.mark.slow, pytest.mark.rtsp]


def test_live_cameras_and_recordings_of_a_job(options: KafkaOptions, assets: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    recordings = Recordings(data)
    clip = write_clip(tmp_path / "gate.mp4", size=(320, 192))
    with (
        Crew(environment(data, options.servers, options.prefix), tmp_path) as crew,
        RtspServer(assets / "clips" / "crowd.mp4", sub=(640, 360)) as server,
    ):
        crew.run("topics", "create")
        crew.run("cameras", "add", "lobby", server.url("sub"))
        for number in (1, 2):
            name = f"read-{number}"
            crew.start(name, "worker", "read", "--record")
            wait_until(lambda: _bytes(data / FOLDER / "lobby" / str(number)) > 100_000, 60, "it records")  # noqa: B023
            if number == 1:
                crew.kill(name)
            else:
                crew.stop(name)
        crew.run("topics", "create", "--job", "case-7")
        crew.run("worker", "read", clip, "--job", "case-7", "--record")
    assert recordings.epochs("lobby") == [1, 2]
    assert {segment.stream_epoch for segment in recordings.segments("lobby") if segment.recovered} == {1}
    assert all(segment.frames > 5 for segment in recordings.segments("lobby"))
    assert [(frame.pts_ns, pixels(frame)) for frame in recordings.frames("gate", 0)] == shown(clip)
    assert list(verify_all(recordings)) == []


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.mp4"))
