"""Pictures without packets: encoded, and found again by their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from audit.recording.frames import FrameRecorder
from audit.recording.layout import FOLDER
from audit.recording.library import Recordings
from audit.recording.options import RecordingOptions
from pipeline.clock import SystemClock
from pipeline.types import Frame
from tests.audit.recording.footage import CAMERA, SECOND_NS, START_NS, Told
from tests.rtsp.counting import numbered_picture, read_number


def pictures(
    count: int, size: tuple[int, int] = (160, 96), *, epoch: int = 1, rate_hz: int = 10
) -> list[Frame]:
    """Numbered frames whose times fit no clock of a container."""
    frames = []
    for number in range(count):
        pts_ns = number * SECOND_NS // rate_hz + number
        frames.append(Frame(CAMERA, epoch, pts_ns, START_NS + pts_ns, numbered_picture(number, *size)))
    return frames


def record(frames: list[Frame], data: Path, *, patient: bool = True, rate_hz: float = 10, **how: Any) -> Told:
    told = Told()
    into = FrameRecorder(
        data / FOLDER,
        CAMERA,
        RecordingOptions(**{"segment_s": 1.5, "reserve_bytes": 0, **how}),
        rate_hz=rate_hz,
        clock=SystemClock(),
        on_closed=told.closed.append,
        on_error=told.error,
        patient=patient,
    )
    for frame in frames:
        into.write(frame)
    into.close()
    into.close()
    assert told.errors == []
    kept = sum(segment.frames for segment in told.closed)
    assert kept + sum(into.dropped_by_cause.values()) == len(frames)
    return told


@pytest.mark.parametrize("size", [(160, 96), (161, 97), (160, 97)])
def test_pictures_come_back_with_their_names_and_nearly_their_pixels(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    given = pictures(40, size)
    record(given, tmp_path)
    found = list(Recordings(tmp_path).frames(CAMERA, 1))
    assert [(frame.pts_ns, frame.captured_at_ns) for frame in found] == [
        (frame.pts_ns, frame.captured_at_ns) for frame in given
    ]
    for frame, original in zip(found, given, strict=True):
        assert frame.image_bgr.shape == original.image_bgr.shape
        assert read_number(frame.image_bgr) == read_number(original.image_bgr)
        assert np.abs(frame.image_bgr.astype(int) - original.image_bgr).mean() < 4


def test_a_segment_begins_as_soon_as_the_time_is_over(tmp_path: Path) -> None:
    told = record(pictures(40), tmp_path, segment_s=1.0)
    assert [segment.frames for segment in told.closed] == [11, 11, 11, 7]
    for segment in told.closed:
        with av.open(str(segment.path)) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.pix_fmt == "yuv420p"
            keys = [packet.is_keyframe for packet in container.demux(stream) if packet.size]
        assert keys == [True] + [False] * (len(keys) - 1)


def test_footage_of_one_picture_a_minute(tmp_path: Path) -> None:
    given = [
        Frame(CAMERA, 0, number * 60 * SECOND_NS, None, f.image_bgr) for number, f in enumerate(pictures(4))
    ]
    told = record(given, tmp_path, segment_s=60, rate_hz=1 / 60)
    found = list(Recordings(tmp_path).frames(CAMERA, 0))
    assert [(frame.pts_ns, frame.captured_at_ns) for frame in found] == [(f.pts_ns, None) for f in given]
    assert [read_number(frame.image_bgr) for frame in found] == [0, 1, 2, 3]
    assert {segment.first_captured_at_ns for segment in told.closed} == {None}


def test_another_epoch_and_another_size_begin_anew(tmp_path: Path) -> None:
    later = [
        Frame(CAMERA, 2, SECOND_NS + frame.pts_ns, None, frame.image_bgr) for frame in pictures(5, (80, 48))
    ]
    record([*pictures(5), *pictures(5, epoch=2), *later], tmp_path, segment_s=1000)
    sizes = [frame.image_bgr.shape[1] for frame in Recordings(tmp_path).frames(CAMERA, 2)]
    assert sizes == [160] * 5 + [80] * 5
    assert len(list(Recordings(tmp_path).frames(CAMERA, 1))) == 5


def test_what_the_encoder_is_too_slow_for_is_dropped_and_counted(tmp_path: Path) -> None:
    given = pictures(60, (640, 480))
    told = record(given, tmp_path, patient=False, queue_bytes=1, preset="veryslow")
    kept = [frame.pts_ns for frame in Recordings(tmp_path).frames(CAMERA, 1)]
    assert kept == sorted(set(kept) & {frame.pts_ns for frame in given})
    assert 0 < sum(segment.frames for segment in told.closed) == len(kept) < 60
