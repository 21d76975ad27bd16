"""Which footage is kept, how, and for how long."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from structlog.testing import capture_logs

from audit.recording.closed import ClosedSegment
from audit.recording.retention import Cause, Removed
from audit.recording.verifying import verify_all
from pipeline.clock import ManualClock, SystemClock
from pipeline.errors import StorageError
from pipeline.redact import Address
from pipeline.region import Polygon, PrivacyMask
from pipeline.seams import FrameSource
from pipeline.sources.live import LiveSource
from pipeline.sources.masked import MaskedSource
from pipeline.sources.opening import CameraPlan, open_camera
from pipeline.sources.options import LiveOptions
from pipeline.sources.select import FileSpec, FolderSpec, SourceSpec, StreamSpec, UsbSpec
from pipeline.sources.tap import PacketTap
from tests.audit.recording.footage import (
    CAMERA,
    SECOND_NS,
    START_NS,
    pixels,
    record,
    shown,
    write_clip,
)
from tests.contracts.frame_source import FrameSourceContract, Make
from tests.pipeline.sources.fakes import FakeCamera
from tests.rtsp.counting import numbered_picture, read_number
from workers.build import Context, WatchRequest
from workers.config import KeepSettings, RecordingSettings
from workers.recording import Recording

LEFT = PrivacyMask((Polygon(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))),))
FAST = LiveOptions(retry_first_s=0.01, retry_max_s=0.02)
STREAM = StreamSpec(Address.parse("rtsp://10.0.0.7/main"))


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    context = Context(environment={})
    context.override(data=tmp_path / "data")
    yield context
    context.close()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "gate.mp4")


class TestContractOfPackets(FrameSourceContract):
    @pytest.fixture
    def make(self, context: Context, clip: Path) -> Make:
        # Without the ledger, whose thread lives as long as the program.
        recording = Recording(context.settings.data, RecordingSettings(), SystemClock())
        return lambda: watched(context, FileSpec(clip), recording)


class TestContractOfPictures(FrameSourceContract):
    @pytest.fixture
    def make(self, tmp_path: Path) -> Make:
        recording = Recording(tmp_path / "data", RecordingSettings(), SystemClock())
        epochs = itertools.count(7).__next__

        def opened(*, tap: PacketTap | None = None) -> FrameSource:
            camera = FakeCamera(per_session=3)
            return LiveSource(CAMERA, camera.connect, epochs, options=FAST, clock=SystemClock(), tap=tap)

        return lambda: recording.camera(CameraPlan(CAMERA, UsbSpec(0)), opened)


def watched(context: Context, spec: SourceSpec, recording: Recording, **request: Any) -> FrameSource:
    return context.source(spec, WatchRequest(**request), CAMERA, recording)


def kept(recording: Recording, epoch: int = 0) -> list[tuple[int, int | None, bytes]]:
    frames = recording.recordings.frames(CAMERA, epoch, threads=1)
    return [(frame.pts_ns, frame.captured_at_ns, pixels(frame)) for frame in frames]


def seen(source: FrameSource) -> list[tuple[int, int | None, bytes]]:
    return [(frame.pts_ns, frame.captured_at_ns, pixels(frame)) for frame in source.frames()]


@pytest.mark.assets
def test_what_is_kept_of_a_file_is_what_was_watched(context: Context, assets: Path) -> None:
    spec = FileSpec(assets / "clips" / "crowd.mp4")
    with context.recording() as recording:
        source = watched(context, spec, recording, started_at_ns=START_NS)
        frames = seen(source)
        assert len(frames) == source.frame_count
        assert kept(recording) == frames
        assert source.dropped_by_cause == {}
    assert list(verify_all(recording.recordings)) == []


def test_footage_is_whole_when_the_frames_have_ended_and_somebody_is_told(
    context: Context, clip: Path, tmp_path: Path
) -> None:
    told: list[ClosedSegment] = []
    settings = RecordingSettings(segment_s=1.5)
    recording = Recording(tmp_path / "data", settings, SystemClock(), on_closed=told.append)
    with recording:
        list(watched(context, FileSpec(clip), recording).frames())
        assert told == recording.recordings.segments()
    assert [segment.first_pts_ns / SECOND_NS for segment in told] == [0, 2, 4]


def test_a_file_is_kept_once_and_the_rest_is_counted(context: Context, clip: Path) -> None:
    with context.recording() as recording:
        first = watched(context, FileSpec(clip), recording)
        frames = seen(first)
        again = watched(context, FileSpec(clip), recording)
        assert again.dropped_by_cause == {}
        with capture_logs() as logs:
            assert seen(again) == frames
        assert [log["until_s"] for log in logs if log["log_level"] == "warning"] == [5.9]
        assert again.dropped_by_cause == {"recording:kept_already": 60}
        assert kept(recording) == frames


def test_a_file_that_is_watched_in_part_is_kept_in_part(context: Context, clip: Path) -> None:
    with context.recording() as recording:
        frames = watched(context, FileSpec(clip), recording).frames()
        some = [next(frames).pts_ns for _ in range(20)]
        frames.close()  # type: ignore[attr-defined]
        found = [pts_ns for pts_ns, _, _ in kept(recording)]
        assert found[:20] == some
        assert len(found) < 60


def test_without_room_nothing_is_kept_and_everything_is_watched(context: Context, clip: Path) -> None:
    settings = RecordingSettings(min_free_mb=10**9)
    recording = Recording(context.settings.data, settings, SystemClock())
    with recording, capture_logs() as logs:
        source = watched(context, FileSpec(clip), recording)
        assert [frame[0::2] for frame in seen(source)] == shown(clip)
    assert source.dropped_by_cause == {"recording:disk": 60}
    (error,) = [log for log in logs if log["log_level"] == "error"]
    assert "gate is not recorded" in error["error"]


def test_images_are_kept_with_their_names(context: Context, tmp_path: Path) -> None:
    folder = tmp_path / CAMERA
    folder.mkdir()
    for number in range(12):
        cv2.imwrite(str(folder / f"{number}.png"), numbered_picture(number, 160, 96))
    with context.recording() as recording:
        source = watched(context, FolderSpec(folder), recording, image_rate_hz=3.0)
        given = list(source.frames())
        found = list(recording.recordings.frames(CAMERA, 0))
    assert [frame.pts_ns for frame in found] == [frame.pts_ns for frame in given]
    assert [read_number(frame.image_bgr) for frame in found] == list(range(12))
    assert source.dropped_by_cause == {}


@pytest.mark.parametrize(
    ("plan", "packets"),
    [
        (CameraPlan(CAMERA, STREAM), True),
        (CameraPlan(CAMERA, STREAM, STREAM), True),
        (CameraPlan(CAMERA, STREAM, mask=LEFT), False),
        (CameraPlan(CAMERA, UsbSpec(0)), False),
    ],
    ids=["network", "substream", "mask", "usb"],
)
def test_who_has_packets_that_may_be_kept(tmp_path: Path, plan: CameraPlan, packets: bool) -> None:
    taps: list[PacketTap | None] = []

    def opened(*, tap: PacketTap | None = None) -> FrameSource:
        taps.append(tap)
        return open_camera(plan, itertools.count(1).__next__, LiveOptions(), SystemClock(), tap=tap)

    source = Recording(tmp_path, RecordingSettings(), SystemClock()).camera(plan, opened)
    source.close()
    assert [tap is not None for tap in taps] == [packets]


def test_packets_of_a_masked_camera_are_refused(tmp_path: Path) -> None:
    taps: list[PacketTap] = []
    plan, clock = CameraPlan(CAMERA, STREAM), SystemClock()

    def opened(*, tap: PacketTap | None = None) -> FrameSource:
        assert tap is not None
        taps.append(tap)
        return open_camera(plan, lambda: 1, LiveOptions(), clock, tap=tap)

    Recording(tmp_path, RecordingSettings(), clock).camera(plan, opened)
    with pytest.raises(ValueError, match="gate has a privacy mask"):
        open_camera(replace(plan, mask=LEFT), lambda: 1, LiveOptions(), clock, tap=taps[0])


def test_what_a_mask_hides_is_in_no_recording(tmp_path: Path) -> None:
    camera = FakeCamera(size=(64, 48), period_s=0.02, value=itertools.repeat(200))
    recording = Recording(tmp_path, RecordingSettings(), SystemClock())

    def opened(*, tap: PacketTap | None = None) -> FrameSource:
        assert tap is None
        source = LiveSource(CAMERA, camera.connect, lambda: 3, options=LiveOptions(), clock=SystemClock())
        return MaskedSource(source, LEFT)

    with recording:
        source = recording.camera(CameraPlan(CAMERA, STREAM, mask=LEFT), opened)
        given = list(itertools.islice(source.frames(), 10))
        source.close()
    found = list(recording.recordings.frames(CAMERA, 3))
    assert [(frame.pts_ns, frame.captured_at_ns) for frame in found] == [
        (frame.pts_ns, frame.captured_at_ns) for frame in given
    ]
    for frame in found:
        assert frame.image_bgr[:, :30].max() < 10
        assert np.abs(frame.image_bgr[:, 34:].astype(int) - 200).max() < 10


def test_a_consumer_may_paint_on_its_frames(tmp_path: Path) -> None:
    camera = FakeCamera(size=(64, 48), value=itertools.repeat(200))
    recording = Recording(tmp_path, RecordingSettings(), SystemClock())

    def opened(*, tap: PacketTap | None = None) -> FrameSource:
        return LiveSource(CAMERA, camera.connect, lambda: 1, options=LiveOptions(), clock=SystemClock())

    source = recording.camera(CameraPlan(CAMERA, UsbSpec(0)), opened)
    for frame in itertools.islice(source.frames(), 10):
        frame.image_bgr[:] = 0
    found = list(recording.recordings.frames(CAMERA, 1))
    assert len(found) == 10
    assert min(int(frame.image_bgr.min()) for frame in found) > 190


@pytest.fixture
def old(tmp_path: Path, clip: Path) -> Path:
    """Six seconds in three segments, of two cameras each, captured at `START_NS`."""
    for camera in (CAMERA, "yard"):
        record(clip, tmp_path / "data", camera_id=camera)
    return tmp_path / "data"


def days_later(days: float) -> ManualClock:
    return ManualClock(START_NS + round(days * 86_400 * SECOND_NS))


def test_what_is_too_old_goes_when_recording_begins(old: Path) -> None:
    told: list[tuple[Removed, bool]] = []

    def on_removed(removed: Removed) -> None:
        told.append((removed, removed.segment.path.exists()))

    settings = RecordingSettings(max_age_days=30, cameras={"yard": KeepSettings(max_age_days=60)})
    with Recording(old, settings, days_later(45), on_removed=on_removed) as recording:
        until(lambda: not recording.recordings.segments(CAMERA))
        assert len(recording.recordings.segments("yard")) == 3
    assert [(removed.segment.camera_id, removed.cause) for removed, _ in told] == [(CAMERA, Cause.AGE)] * 3
    assert all(was_there for _, was_there in told), "told of before it is gone"


def test_and_nothing_goes_of_which_nobody_may_be_told(old: Path) -> None:
    def refuse(removed: Removed) -> None:
        raise StorageError("the disk is full")

    recording = Recording(old, RecordingSettings(max_age_days=1), days_later(45), on_removed=refuse)
    with pytest.raises(StorageError, match="full"):
        recording.retain()
    assert len(recording.recordings.segments()) == 6
    with capture_logs() as logs, recording:
        until(lambda: bool(logs))
    assert (logs[0]["log_level"], logs[0]["error"]) == ("error", "the disk is full")


def test_a_cameras_own_limits_add_to_those_of_all(old: Path) -> None:
    size = Recording(old, RecordingSettings(), SystemClock()).recordings.segments("yard")[0].bytes
    settings = RecordingSettings(
        max_gb=2.5 * size / 1e9, max_age_days=1000, cameras={"yard": KeepSettings(max_age_days=1)}
    )
    recording = Recording(old, settings, days_later(45))
    planned = recording.excess()
    assert len(recording.recordings.segments()) == 6
    assert recording.retain() == planned
    assert [(one.segment.camera_id, one.cause) for one in planned] == [
        (CAMERA, Cause.BYTES),
        *[("yard", Cause.AGE)] * 3,
    ]


def test_without_limits_nothing_goes(old: Path) -> None:
    recording = Recording(old, RecordingSettings(), days_later(10_000))
    assert recording.retain() == []


def test_what_a_crash_left_is_closed_when_recording_begins(old: Path) -> None:
    Recording(old, RecordingSettings(), SystemClock()).recordings.segments(CAMERA)[-1].paths.record.unlink()
    told: list[ClosedSegment] = []
    with Recording(old, RecordingSettings(), SystemClock(), on_closed=told.append) as recording:
        assert [(one.camera_id, one.recovered, one.frames) for one in told] == [(CAMERA, True, 20)]
        assert len(recording.recordings.segments(CAMERA)) == 3


def test_a_ledger_that_cannot_be_written_does_not_end_the_capture(context: Context, clip: Path) -> None:
    def refuse(segment: ClosedSegment) -> None:
        raise StorageError("the ledger is full")

    recording = Recording(
        context.settings.data, RecordingSettings(segment_s=1.5), SystemClock(), on_closed=refuse
    )
    with capture_logs() as logs, recording:
        assert len(seen(watched(context, FileSpec(clip), recording))) == 60
    assert [log["error"] for log in logs if "error" in log] == ["the ledger is full"] * 3
    assert len(kept(recording)) == 60


def until(holds: Callable[[], bool], within_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
