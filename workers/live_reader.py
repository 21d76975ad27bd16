"""A reader process: reads the cameras that it leased, each in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from pipeline.errors import PinwatchError
from pipeline.redact import redact
from workers.bus.base import BusError
from workers.channel import Channel, ChannelReport, FrameTap, Send, read_channel
from workers.leases import BEAT_S, CameraLeases
from workers.live.failing import log_failure
from workers.live.state import CameraState

log = structlog.get_logger(__name__)

_AGAIN_BEATS = 3
_AGAIN_BEATS_MAX = 30
"""A camera that fails is asked less and less often: some lock the account of whoever asks too much."""


class WatchesCameras(Protocol):
    """Is told how cameras are, from any thread; see :class:`workers.live.cameras.CameraStates`."""

    def camera(self, camera_id: str, state: CameraState, detail: str = "") -> None:
        """It is so from now on."""
        ...

    def gone(self, camera_id: str) -> None:
        """It is to be read by nobody any more."""
        ...


class NobodyAsks:
    """For whoever shows no cameras."""

    def camera(self, camera_id: str, state: CameraState, detail: str = "") -> None:
        return None

    def gone(self, camera_id: str) -> None:
        return None


@dataclass(slots=True)
class _Running:
    """A camera that is being read, and the settings that it was opened with."""

    channel: Channel
    thread: threading.Thread
    settings: object


@dataclass(slots=True)
class _Failing:
    """How often a camera failed in a row, and for how many beats it is left alone."""

    times: int = 0
    rest: int = 0

    def again(self) -> None:
        """Once more."""
        self.rest = min(_AGAIN_BEATS * 2**self.times, _AGAIN_BEATS_MAX)
        self.times = min(self.times + 1, 10)


class LiveReader:
    """Holds the cameras of its leases open, and sends what they show.

    Args:
        leases: This reader's.
        cameras: All cameras that are to be read by somebody, by name, with their settings as they are now;
            a camera whose settings change is opened anew.
        open_channel: Opens one.
        send: Takes messages, from any thread, at once.
        on_report: Told how a camera fared that is read no longer, in its own thread.
        taps: Shown every frame.
        watcher: Told how the cameras are.
    """

    def __init__(
        self,
        leases: CameraLeases,
        cameras: Callable[[], Mapping[str, object]],
        open_channel: Callable[[str], Channel],
        send: Send,
        on_report: Callable[[ChannelReport], None] = lambda report: None,
        *,
        taps: Sequence[FrameTap] = (),
        watcher: WatchesCameras | None = None,
    ) -> None:
        self._leases, self._cameras, self._open, self._send = leases, cameras, open_channel, send
        self._on_report, self._taps, self._watcher = on_report, taps, watcher or NobodyAsks()
        self._running: dict[str, _Running] = {}
        self._wanted: Mapping[str, object] = {}
        self._failing: dict[str, _Failing] = {}
        self._lock = threading.Lock()
        self._failure: BaseException | None = None

    @property
    def count(self) -> int:
        """How many cameras are being read."""
        return len(self._running)

    def drops(self) -> dict[str, dict[str, int]]:
        """What was left out of each camera that is being read, by cause."""
        running = dict(self._running)
        return {name: dict(one.channel.source.dropped_by_cause) for name, one in running.items()}

    def run(self, stop: threading.Event, on_beat: Callable[[], None] = lambda: None) -> None:
        """Until `stop` is set; then every track is ended and every lease given up.

        Raises:
            BusError: messages cannot be sent, for good.
        """
        try:
            while not stop.is_set() and self._failure is None:
                self._beat()
                on_beat()
                stop.wait(BEAT_S)
        finally:
            self._close(set(self._running))
            self._leave()
        if self._failure is not None:
            raise self._failure

    def _beat(self) -> None:
        try:
            wanted = self._cameras()
            held = self._leases.beat(wanted)
            self._take_note(wanted, held)
        except PinwatchError as error:
            log.error("the database cannot be reached", error=str(error))
            held = set() if self._leases.stale else set(self._running)
        ended = {name for name, running in self._running.items() if not running.thread.is_alive()}
        changed = {name for name, one in self._running.items() if one.settings != self._wanted.get(name)}
        self._close(self._running.keys() - held | ended | changed)
        for name in sorted(held - self._running.keys()):
            self._start(name)

    def _take_note(self, wanted: Mapping[str, object], held: set[str]) -> None:
        """Of what changed since the last beat. Whoever mends a camera's settings need not wait."""
        for name in self._wanted.keys() - wanted.keys():
            self._watcher.gone(name)
        for name in wanted.keys() - held:
            self._watcher.camera(name, CameraState.ELSEWHERE, "another process reads this camera")
        with self._lock:
            for name in [one for one in self._failing if self._wanted.get(one) != wanted.get(one)]:
                del self._failing[name]
        self._wanted = wanted

    def _start(self, name: str) -> None:
        failing = self._failing.get(name)
        if failing is not None and failing.rest > 0:
            failing.rest -= 1
            return
        try:
            channel = self._open(name)
        except PinwatchError as error:
            log.error("a camera cannot be opened; trying again", camera=name, error=redact(str(error)))
            self._failed(name, error)
            return
        thread = threading.Thread(target=self._read, args=(channel,), name=f"read-{name}", daemon=True)
        self._running[name] = _Running(channel, thread, self._wanted.get(name))
        if failing is None:
            self._watcher.camera(name, CameraState.STARTING)
        thread.start()
        log.info("reading", camera=name)

    def _failed(self, name: str, error: Exception) -> None:
        with self._lock:
            self._failing.setdefault(name, _Failing()).again()
        self._watcher.camera(name, CameraState.FAILED, redact(str(error)))

    def _read(self, channel: Channel) -> None:
        report = ChannelReport(channel.source.camera_id)
        try:
            read_channel(channel, report, self._send, self._taps)
        except BusError as error:  # raised by run(), in the main thread
            self._failure = error
            return
        except Exception as error:  # noqa: BLE001 - logged, and tried again
            log_failure("a camera ended early; trying again", error, camera=report.camera_id)
            self._failed(report.camera_id, error)
        else:
            self._ended(report)
        try:
            self._on_report(report)
        except PinwatchError as error:
            log.error("how a camera fared is not recorded", camera=report.camera_id, error=str(error))

    def _ended(self, report: ChannelReport) -> None:
        """Of its own accord, or since it was closed; with pictures it worked, however it ended."""
        if report.frames:
            with self._lock:
                self._failing.pop(report.camera_id, None)
        if report.error is not None:
            self._failed(report.camera_id, report.error)

    def _close(self, names: set[str]) -> None:
        closing = [self._running.pop(name) for name in names]
        for running in closing:
            running.channel.source.close()
        for running in closing:
            running.thread.join(timeout=10)

    def _leave(self) -> None:
        try:
            self._leases.leave()
        except PinwatchError as error:
            log.warning("leases not given up; others take them in a while", error=str(error))
