"""All steps in one process: a thread for every camera and one for each step, on the memory bus."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import structlog

from workers.bus.base import Topic
from workers.bus.memory import BusClosed, MemoryBus
from workers.channel import Channel, ChannelReport, FrameTap, read_channel
from workers.codec import Message, encode
from workers.loop import Step, run

log = structlog.get_logger(__name__)


class Watch:
    """Runs cameras and steps until the cameras end, somebody stops it, or a step fails.

    A camera that fails ends alone; the others go on. A step that fails ends everything.

    Args:
        channels: The cameras.
        steps: Each with the topic that it is the only writer of, in the order of the data.
        taps: Shown every frame.
        capacity: Messages that may wait between two steps.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        steps: Sequence[tuple[Step, Topic | None]],
        taps: Sequence[FrameTap] = (),
        capacity: int = 256,
    ) -> None:
        self._channels = channels
        self._steps = steps
        self._taps = taps
        self._bus = MemoryBus(capacity)
        self._failure: BaseException | None = None
        self._lock = threading.Lock()
        self._open_readers = len(channels)
        self.reports = [ChannelReport(channel.source.camera_id) for channel in channels]

    def run(self) -> list[ChannelReport]:
        """Block until everything that was seen has been decided and written.

        Raises:
            PinwatchError: what a step failed with.
        """
        threads = [
            threading.Thread(target=self._run_step, args=pair, name=pair[0].name, daemon=True)
            for pair in self._steps
        ]
        self._subscribe()
        threads += [
            threading.Thread(
                target=self._read, args=pair, name=f"read-{pair[0].source.camera_id}", daemon=True
            )
            for pair in zip(self._channels, self.reports, strict=True)
        ]
        for thread in threads:
            thread.start()
        self._join(threads)
        if self._failure is not None:
            raise self._failure
        return self.reports

    def stop(self) -> None:
        """End all cameras now; what they have shown so far is still decided and written."""
        for channel in self._channels:
            channel.source.close()

    def _subscribe(self) -> None:
        """Make every group known before the first message: the bus keeps nothing for strangers."""
        for step, _ in self._steps:
            self._bus.consumer(step.name, step.inputs)

    def _join(self, threads: Sequence[threading.Thread]) -> None:
        """Wait for all; Ctrl-C ends the cameras and waits on, a second one gives up."""
        try:
            _wait_for(threads)
        except KeyboardInterrupt:
            log.warning("stopping: what was seen so far is still being written; Ctrl-C again gives it up")
            self.stop()
            _wait_for(threads)

    def _run_step(self, step: Step, output: Topic | None) -> None:
        try:
            run(self._bus, step, threading.Event())
        except BusClosed:
            return
        except BaseException as error:  # noqa: BLE001 - raised again by run(), in the caller's thread
            self._fail(error)
        if output is not None:
            self._bus.finish(output)

    def _read(self, channel: Channel, report: ChannelReport) -> None:
        try:
            read_channel(channel, report, self._send, self._taps)
        except BusClosed:
            return
        except BaseException as error:  # noqa: BLE001 - raised again by run(), in the caller's thread
            self._fail(error)
        finally:
            self._one_reader_less()

    def _send(self, messages: Sequence[Message]) -> None:
        producer = self._bus.producer()
        for message in messages:
            producer.send(Topic.FACES, encode(message))

    def _one_reader_less(self) -> None:
        with self._lock:
            self._open_readers -= 1
            last = self._open_readers == 0
        if last:
            self._bus.finish(Topic.FACES)

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._failure = self._failure or error
        self._bus.close()
        self.stop()


def _wait_for(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.join()
