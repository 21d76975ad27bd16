"""Recording real network cameras: what is kept is what was watched, through loss and return."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from audit.recording.layout import epoch_folder
from audit.recording.verifying import verify_all
from pipeline.clock import SystemClock
from pipeline.redact import Address
from pipeline.region import Polygon, PrivacyMask
from pipeline.seams import FrameSource
from pipeline.sources.opening import CameraPlan, open_camera
from pipeline.sources.options import LiveOptions
from pipeline.sources.select import StreamSpec
from pipeline.sources.tap import PacketTap
from pipeline.types import Frame
from tests.audit.recording.footage import pixels
from tests.rtsp.camera import Guard, RtspServer, first
from tests.rtsp.counting import read_number
from workers.config import RecordingSettings
from workers.recording import Recording

pytestmark = pytest.mark.rtsp

CAMERA = "gate"
OFFSET_S = -2.0
ENCODERS = {
    "h265": (
        "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=12 ! rtph265pay config-interval=-1"
    ),
    "mjpeg": "jpegenc ! rtpjpegpay",
    "vp8": "vp8enc deadline=1 keyframe-max-dist=12 ! rtpvp8pay",
}


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    with Recording(tmp_path / "data", RecordingSettings(segment_s=1), SystemClock()) as recording:
        yield recording


def recorded(
    recording: Recording,
    options: LiveOptions,
    address: str,
    substream: str | None = None,
    mask: PrivacyMask | None = None,
    rate_limit_hz: float | None = None,
) -> FrameSource:
    sub = None if substream is None else StreamSpec(Address.parse(substream))
    plan = CameraPlan(
        CAMERA,
        StreamSpec(Address.parse(address)),
        sub,
        rate_limit_hz=rate_limit_hz,
        clock_offset_s=OFFSET_S,
        mask=mask,
    )
    epochs = itertools.count(7)

    def opened(*, tap: PacketTap | None = None) -> FrameSource:
        return open_camera(plan, epochs.__next__, options, SystemClock(), tap=tap)

    return recording.camera(plan, opened)


def named(frame: Frame) -> tuple[int, int, int | None, bytes]:
    return frame.stream_epoch, frame.pts_ns, frame.captured_at_ns, pixels(frame)


def kept(recording: Recording) -> list[tuple[int, int, int | None, bytes]]:
    found = recording.recordings
    return [named(frame) for epoch in found.epochs(CAMERA) for frame in found.frames(CAMERA, epoch)]


@contextmanager
def serving(video: Path, encoder: str) -> Iterator[str]:
    """The address of a camera that sends `video` in another codec."""
    process = subprocess.Popen(
        ["/usr/bin/python3", str(Path(__file__).with_name("any_codec.py")), str(video), encoder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        word, _, port = process.stdout.readline().strip().partition(" ")
        assert word == "ready"
        yield f"rtsp://127.0.0.1:{port}/main"
    finally:
        process.kill()
        process.communicate()


def test_what_was_watched_is_kept_and_what_the_rate_limit_passed_over_as_well(
    server: RtspServer, options: LiveOptions, guard: Guard, recording: Recording
) -> None:
    source = guard(recorded(recording, options, server.url(), rate_limit_hz=5))
    seen = [named(frame) for frame in itertools.islice(source.frames(), 15)]
    source.close()
    found = kept(recording)
    assert set(seen) <= set(found)
    assert len(found) > 4 * len(seen)
    assert found == sorted(found), "names come in the order of time"
    assert {segment.codec for segment in recording.recordings.segments()} == {"h264"}
    assert len(recording.recordings.segments()) >= 2
    assert list(verify_all(recording.recordings)) == []
    assert {cause for cause in source.dropped_by_cause if cause.startswith("recording")} <= {
        "recording:before_key_frame"
    }


@pytest.mark.parametrize("codec", ENCODERS)
def test_other_codecs(
    numbered_video: Path, options: LiveOptions, guard: Guard, recording: Recording, codec: str
) -> None:
    with serving(numbered_video, ENCODERS[codec]) as address:
        source = guard(recorded(recording, options, address))
        seen = [named(frame) for frame in itertools.islice(source.frames(), 30)]
        source.close()
    assert set(seen) <= set(kept(recording))
    assert list(verify_all(recording.recordings)) == []


def test_a_camera_that_comes_back_has_a_folder_of_its_own(
    numbered_video: Path, options: LiveOptions, guard: Guard, recording: Recording
) -> None:
    with RtspServer(numbered_video) as camera:
        source = guard(recorded(recording, options, camera.url()))
        frames = source.frames()
        seen = [named(frame) for frame in itertools.islice(frames, 30)]
        camera.kill()
        camera.start()
        seen.append(named(first(frames, lambda frame: frame.stream_epoch == 8)))
        seen += [named(frame) for frame in itertools.islice(frames, 30)]
        source.close()
        list(frames)
    root = recording.recordings.root
    assert sorted((root / CAMERA).iterdir()) == [epoch_folder(root, CAMERA, epoch) for epoch in (7, 8)]
    assert set(seen) <= set(kept(recording))
    assert list(verify_all(recording.recordings)) == []


def test_of_two_streams_the_main_one_is_kept(
    server: RtspServer, options: LiveOptions, guard: Guard, recording: Recording
) -> None:
    source = guard(recorded(recording, options, server.url("main"), server.url("sub")))
    frames = source.frames()
    paired = first(frames, lambda frame: frame.detection_bgr is not None)
    seen = [named(frame) for frame in (paired, *itertools.islice(frames, 20))]
    source.close()
    list(frames)
    assert set(seen) <= set(kept(recording))


def test_what_a_mask_hides_is_in_no_file(
    server: RtspServer, options: LiveOptions, guard: Guard, recording: Recording
) -> None:
    below = PrivacyMask((Polygon(((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0))),))
    source = guard(recorded(recording, options, server.url(), mask=below))
    seen = {frame.pts_ns: read_number(frame.image_bgr) for frame in itertools.islice(source.frames(), 20)}
    source.close()
    found = list(recording.recordings.frames(CAMERA, 7))
    assert {frame.pts_ns: read_number(frame.image_bgr) for frame in found} == seen
    assert max(int(np.max(frame.image_bgr[190:])) for frame in found) < 20
