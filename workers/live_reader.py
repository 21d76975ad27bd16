"""A reader process: reads the cameras that it leased, each in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from pipeline.errors import PinwatchError
from workers.channel import Channel, ChannelReport, Send, read_channel
from workers.leases import BEAT_S, CameraLeases

log = structlog.get_logger(__name__)

_AGAIN_BEATS = 3


@dataclass(slots=True)
class _Running:
    """A camera that is being read."""

    channel: Channel
    thread: threading.Thread


class LiveReader:
    """Holds the cameras of its leases open, and sends what they show.

    Args:
        leases: This reader's.
        cameras: Names of all cameras that are to be read by somebody, as they are now.
        open_channel: Opens one.
        send: Takes messages, from any thread, at once.
        on_report: Told how a camera fared that is read no longer, in its own thread.
    """

    def __init__(
        self,
        leases: CameraLeases,
        cameras: Callable[[], list[str]],
        open_channel: Callable[[str], Channel],
        send: Send,
        on_report: Callable[[ChannelReport], None] = lambda report: None,
    ) -> None:
        self._leases, self._cameras, self._open, self._send = leases, cameras, open_channel, send
        self._on_report = on_report
        self._running: dict[str, _Running] = {}
        self._rests: dict[str, int] = {}
        self._failure: BaseException | None = None

    @property
    def count(self) -> int:
        """How many cameras are being read."""
        return len(self._running)

    def run(self, stop: threading.Event, on_beat: Callable[[], None] = lambda: None) -> None:
        """Until `stop` is set; then every track is ended and every lease given up.

        Raises:
            PinwatchError: messages cannot be sent, for good.
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
            held = self._leases.beat(self._cameras())
        except PinwatchError as error:
            log.error("the database cannot be reached", error=str(error))
            held = set() if self._leases.stale else set(self._running)
        ended = {name for name, running in self._running.items() if not running.thread.is_alive()}
        self._close(self._running.keys() - held | ended)
        for name in sorted(held - self._running.keys()):
            self._start(name)

    def _start(self, name: str) -> None:
        if self._rests.get(name, 0) > 0:
            self._rests[name] -= 1
            return
        try:
            channel = self._open(name)
        except PinwatchError as error:
            log.error("a camera cannot be opened; trying again", camera=name, error=str(error))
            self._rests[name] = _AGAIN_BEATS
            return
        thread = threading.Thread(target=self._read, args=(channel,), name=f"read-{name}", daemon=True)
        self._running[name] = _Running(channel, thread)
        thread.start()
        log.info("reading", camera=name)

    def _read(self, channel: Channel) -> None:
        report = ChannelReport(channel.source.camera_id)
        try:
            read_channel(channel, report, self._send)
            self._on_report(report)
        except BaseException as error:  # noqa: BLE001 - raised by run(), in the main thread
            self._failure = error

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
