"""Footage that is played as if it were a camera: at its own pace, once or again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import structlog

from pipeline.errors import PinwatchError
from pipeline.seams import Clock, FrameSource
from pipeline.sources.wrapper import SourceWrapper
from pipeline.types import Frame
from workers.bus.base import BusError
from workers.channel import Channel, ChannelReport, FrameTap, Send, read_channel
from workers.live.failing import log_failure
from workers.live.state import CameraState
from workers.live_reader import WatchesCameras

log = structlog.get_logger(__name__)

AGAIN_S = 5.0
LATE_S = 0.15
"""A frame that nobody took by so long after it was due is dropped: the next one shows what is now."""

AT_LEAST_EVERY_S = 1.0
"""However slow everything is, now and then there is a frame."""

STALE_CAUSE = "stale"
_SLICE_S = 0.1


class FootageAsCamera(SourceWrapper):
    """`source` as if it were happening now: at its own pace, and what nobody takes in time is dropped.

    Args:
        source: Footage, as fast as it can be read.
        stream_epoch: Each time that footage is played is an epoch of its own.
        clock: Time; frames are captured when they are due.
    """

    def __init__(self, source: FrameSource, stream_epoch: int, clock: Clock) -> None:
        super().__init__(source)
        self._stream_epoch, self._clock = stream_epoch, clock
        self._stale = 0
        self._closed = threading.Event()

    @property
    def dropped_by_cause(self) -> dict[str, int]:
        """The source's, and what was too late."""
        own = {STALE_CAUSE: self._stale} if self._stale else {}
        return {**self._source.dropped_by_cause, **own}

    def frames(self) -> Iterator[Frame]:
        """As the source's, fewer where whoever takes them is slow; raises what it raises."""
        begun: tuple[int, float] | None = None
        taken_s = 0.0
        for frame in self._source.frames():
            at_s = frame.pts_ns / 1e9
            now_s = self._clock.monotonic_s()
            if begun is None:
                begun, taken_s = (self._clock.now_ns() - frame.pts_ns, now_s - at_s), now_s
            late_s = now_s - (begun[1] + at_s)
            if late_s > LATE_S and now_s - taken_s < AT_LEAST_EVERY_S:
                self._stale += 1
                continue
            self._wait(-late_s)
            if self._closed.is_set():
                return
            taken_s = self._clock.monotonic_s()
            yield replace(frame, stream_epoch=self._stream_epoch, captured_at_ns=begun[0] + frame.pts_ns)

    def close(self) -> None:
        """Close the source and stop waiting."""
        self._closed.set()
        super().close()

    def _wait(self, seconds: float) -> None:
        """In slices of the clock's, so that `close` is heard."""
        until_s = self._clock.monotonic_s() + seconds
        while not self._closed.is_set() and (left_s := until_s - self._clock.monotonic_s()) > 0:
            self._clock.sleep(min(left_s, _SLICE_S))


class PlayedSource:
    """One source that the user named, read in a thread of its own until it ends or is stopped.

    Args:
        camera_id: Whose it is.
        open_channel: Opens it, for each round anew.
        again: Begin again at the end. A live source is opened again in any case.
        send: Takes messages.
        taps: Shown every frame.
        watcher: Told how it is.
        on_report: Told how each round went.
    """

    def __init__(
        self,
        camera_id: str,
        open_channel: Callable[[], Channel],
        *,
        again: bool,
        send: Send,
        taps: Sequence[FrameTap],
        watcher: WatchesCameras,
        on_report: Callable[[ChannelReport], None],
    ) -> None:
        self.camera_id = camera_id
        self._open, self._again, self._send, self._taps = open_channel, again, send, taps
        self._watcher, self._on_report = watcher, on_report
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._source: FrameSource | None = None
        self._thread = threading.Thread(target=self._run, name=f"read-{camera_id}", daemon=True)

    def start(self) -> None:
        """Begin; once."""
        self._watcher.camera(self.camera_id, CameraState.STARTING)
        self._thread.start()

    def stop(self) -> None:
        """End soon; what was seen is still sent. Safe twice, and before :meth:`start`."""
        self._stop.set()
        with self._lock:
            if self._source is not None:
                self._source.close()

    def join(self, within_s: float) -> None:
        """Wait for the end."""
        if self._thread.is_alive():
            self._thread.join(within_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                report, live = self._play()
            except BusError:
                return
            except Exception as error:  # noqa: BLE001 - logged, and tried again
                self._failed(error)
                continue
            if report.error is not None:
                self._failed(report.error)
            elif not (self._again or live or self._stop.is_set()):
                self._watcher.camera(self.camera_id, CameraState.ENDED, "it was played to its end")
                return

    def _play(self) -> tuple[ChannelReport, bool]:
        channel = self._open()
        with self._lock:
            self._source = channel.source
            if self._stop.is_set():
                channel.source.close()
        report = ChannelReport(self.camera_id)
        read_channel(channel, report, self._send, self._taps)
        try:
            self._on_report(report)
        except PinwatchError as error:
            log.error("how a source fared is not recorded", camera=self.camera_id, error=str(error))
        return report, channel.source.live

    def _failed(self, error: Exception) -> None:
        told = log_failure("a source ended early; trying again", error, camera=self.camera_id)
        self._watcher.camera(self.camera_id, CameraState.FAILED, told)
        self._stop.wait(AGAIN_S)
