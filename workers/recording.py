"""Keeps the footage of this process's sources: which recorder for which source, and for how long."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol

import structlog

from audit.recording.closed import ClosedSegment
from audit.recording.disk import OnClosed
from audit.recording.frames import FrameRecorder
from audit.recording.holds import Holds
from audit.recording.library import Recordings
from audit.recording.options import MIB, RecordingOptions
from audit.recording.recovery import left_over, recover
from audit.recording.retention import (
    OnRemoved,
    Removed,
    RetentionPolicy,
    apply_retention,
    plan_retention,
)
from audit.recording.tap import PacketRecorder
from pipeline.errors import PinwatchError
from pipeline.seams import Clock, FrameSource
from pipeline.sources.opening import CameraPlan
from pipeline.sources.select import FileSpec, FolderSpec
from pipeline.sources.tap import PacketTap
from pipeline.sources.tapped import PacketsTapped, PicturesTapped
from workers.config import KeepSettings, RecordingSettings
from workers.repeated import Repeated

log = structlog.get_logger(__name__)

RETAIN_EVERY_S = 3600.0
_DAY_S = 86_400.0
_GB = 10**9


class OpenSource(Protocol):
    """Opens a source whose packets go to `tap`, if there is one."""

    def __call__(self, *, tap: PacketTap | None = None) -> FrameSource: ...


def _tell_nobody(_: object) -> None:
    return None


class Recording:
    """The footage below ``<data>/recordings``, and what writes it.

    Within ``with recording:`` sources may be recorded: what an earlier process left open is closed at the
    beginning, and what is older or more than wanted is deleted then and every hour. Several processes may
    record into one folder, each its own cameras.

    Args:
        data: The data folder.
        settings: Sizes, times and limits.
        clock: Time.
        on_closed: Told of every segment that was closed, in the thread that writes it.
        on_removed: Told of every segment right before it is deleted; if it raises, the segment stays.
    """

    def __init__(
        self,
        data: Path,
        settings: RecordingSettings,
        clock: Clock,
        *,
        on_closed: OnClosed = _tell_nobody,
        on_removed: OnRemoved = _tell_nobody,
    ) -> None:
        self.recordings = Recordings(data)
        self.holds = Holds(self.recordings.root, now_ns=clock.now_ns)
        self._options = RecordingOptions(
            segment_s=settings.segment_s, reserve_bytes=settings.min_free_mb * MIB, crf=settings.crf
        )
        self._default, self._by_camera = _policies(settings)
        self._clock = clock
        self._on_closed, self._on_removed = on_closed, on_removed
        self._hourly = Repeated(self._retain_or_say, RETAIN_EVERY_S, "keep-footage")

    def footage(self, spec: FileSpec | FolderSpec, camera_id: str, open_source: OpenSource) -> FrameSource:
        """A recorded source of footage: a file's packets as they are, images encoded. Nothing gets lost."""
        if isinstance(spec, FileSpec):
            return self._packets(camera_id, open_source, patient=True)
        return self._pictures(open_source, patient=True)

    def camera(self, plan: CameraPlan, open_source: OpenSource) -> FrameSource:
        """A recorded live camera: its packets as they are, or, where there are none or a mask hides what is
        in them, encoded what the pipeline gets to see."""
        if plan.has_packets:
            return self._packets(plan.camera_id, open_source, clock_offset_s=plan.clock_offset_s)
        return self._pictures(open_source)

    def played(self, open_source: OpenSource) -> FrameSource:
        """Recorded footage that is played as if it were a camera: its pictures, encoded."""
        return self._pictures(open_source)

    def recover(self) -> list[ClosedSegment]:
        """Close what processes that are gone left open."""
        closed = recover(self.recordings.root, _say)
        for segment in closed:
            self._on_closed(segment)
        return closed

    def left_over(self, camera: str | None = None) -> list[Path]:
        """Footage that :meth:`recover` could not close."""
        return list(left_over(self.recordings.root, camera))

    def excess(self) -> list[Removed]:
        """What :meth:`retain` would delete now.

        Raises:
            StorageError: the holds cannot be read.
        """
        held, now_ns = self.holds.list(), self._clock.now_ns()
        return list(plan_retention(self.recordings, self._default, self._by_camera, held, now_ns=now_ns))

    def retain(self) -> list[Removed]:
        """Delete what is older or more than the settings want, but for what is held.

        Raises:
            StorageError: the holds cannot be read, or a file cannot be deleted.
        """
        return apply_retention(
            self.recordings,
            self._default,
            self._by_camera,
            self.holds,
            now_ns=self._clock.now_ns(),
            on_removed=self._on_removed,
        )

    def __enter__(self) -> Recording:
        self.recover()
        if any(limit != RetentionPolicy() for limit in (self._default, *self._by_camera.values())):
            self._hourly.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hourly.close()

    def _packets(
        self, camera_id: str, open_source: OpenSource, *, patient: bool = False, clock_offset_s: float = 0.0
    ) -> FrameSource:
        tap = PacketRecorder(
            self.recordings.root,
            camera_id,
            self._options,
            clock=self._clock,
            on_closed=self._on_closed,
            on_error=_say,
            patient=patient,
            clock_offset_s=clock_offset_s,
        )
        return PacketsTapped(open_source(tap=tap), tap)

    def _pictures(self, open_source: OpenSource, *, patient: bool = False) -> FrameSource:
        source = open_source()
        return PicturesTapped(source, functools.partial(self._frame_recorder, source, patient))

    def _frame_recorder(self, source: FrameSource, patient: bool) -> FrameRecorder:
        return FrameRecorder(
            self.recordings.root,
            source.camera_id,
            self._options,
            rate_hz=source.rate_hz,
            clock=self._clock,
            on_closed=self._on_closed,
            on_error=_say,
            patient=patient,
        )

    def _retain_or_say(self) -> None:
        try:
            removed = self.retain()
        except PinwatchError as error:
            log.error("old footage is not deleted", error=str(error))
            return
        if removed:
            freed = sum(one.segment.bytes for one in removed)
            log.info("deleted old footage", segments=len(removed), bytes=freed)


def _say(error: PinwatchError) -> None:
    log.error("recording", error=str(error))


def _policies(settings: RecordingSettings) -> tuple[RetentionPolicy, Mapping[str, RetentionPolicy]]:
    """That of all cameras, and those of single ones."""
    cameras = {name: _policy(own, settings) for name, own in settings.cameras.items()}
    return _policy(settings, settings), cameras


def _policy(own: KeepSettings, common: KeepSettings) -> RetentionPolicy:
    days = common.max_age_days if own.max_age_days is None else own.max_age_days
    size_gb = common.max_gb if own.max_gb is None else own.max_gb
    return RetentionPolicy(
        max_age_s=None if days is None else days * _DAY_S,
        max_bytes=None if size_gb is None else round(size_gb * _GB),
    )
