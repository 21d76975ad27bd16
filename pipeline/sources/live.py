"""Live cameras: the newest frames, stamped when they were taken, for as long as nobody closes them."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from pipeline.seams import Clock
from pipeline.sources.capture import Capture
from pipeline.sources.channel import Channel, DropCounter
from pipeline.sources.connection import Connect, Shot, StreamInfo
from pipeline.sources.options import LiveOptions
from pipeline.sources.tap import PacketTap
from pipeline.sources.timeline import NS, RateLimit
from pipeline.types import Frame

__all__ = ["LiveOptions", "LiveSource"]

T = TypeVar("T")

NOMINAL_RATE_HZ = 25.0

NextEpoch = Callable[[], int]
"""The next `stream_epoch` of a camera, higher than all before it; called in the camera's own thread."""


class LiveBase(ABC, Generic[T]):
    """What all live sources share: the newest items wait in a channel, and become frames when taken.

    A subclass says which captures run, and calls :meth:`_begin_epoch` and :meth:`_offer` from their threads.
    """

    live = True

    def __init__(
        self,
        camera_id: str,
        next_epoch: NextEpoch,
        *,
        options: LiveOptions,
        drops: DropCounter,
        rate_limit_hz: float | None,
        clock_offset_s: float,
        tap: PacketTap | None,
    ) -> None:
        self._tap = tap
        self._camera_id = camera_id
        self._next_epoch = next_epoch
        self._drops = drops
        self._nominal_hz = NOMINAL_RATE_HZ
        self._rate_limit_hz = rate_limit_hz
        self._limit = RateLimit(rate_limit_hz)
        self._offset_ns = round(clock_offset_s * NS)
        self._channel: Channel[tuple[int, T]] = Channel(options.buffer_frames)
        self._closed = threading.Event()

    @property
    def camera_id(self) -> str:
        return self._camera_id

    @property
    def frame_count(self) -> int | None:
        return None

    @property
    def rate_hz(self) -> float:
        """What the camera says once it is connected, :data:`NOMINAL_RATE_HZ` before; at most the limit."""
        return min(self._nominal_hz, self._rate_limit_hz or self._nominal_hz)

    @property
    def dropped_by_cause(self) -> dict[str, int]:
        return self._drops.as_dict()

    def frames(self) -> Iterator[Frame]:
        """Connect and yield the newest frames; once.

        Raises:
            SourceNotFound, SourceUnreadable: the first connection failed in a way that waiting cannot mend.
        """
        captures = self._captures()
        if self._closed.is_set():
            return
        for capture in captures:
            capture.start()
        try:
            for epoch, item in self._channel:
                yield self._frame(epoch, item)
        finally:
            self.close()
            for capture in captures:
                capture.close()

    def close(self) -> None:
        """End `frames` at once; safe from another thread and twice."""
        self._closed.set()
        self._channel.close()
        for capture in self._captures():
            capture.stop()

    @abstractmethod
    def _captures(self) -> list[Capture]: ...

    @abstractmethod
    def _frame(self, epoch: int, item: T) -> Frame: ...

    def _begin_epoch(self) -> int:
        """A new epoch, whose frames count their time from zero."""
        epoch = self._next_epoch()
        self._limit = RateLimit(self._rate_limit_hz)
        return epoch

    def _name(self, epoch: int, shot: Shot) -> None:
        """Tell the tap what the frame of `shot` is called, whether or not anybody gets to see it."""
        if self._tap is not None and shot.ordinal is not None:
            self._tap.frame(shot.ordinal, epoch, shot.pts_ns, shot.captured_at_ns)

    def _offer(self, epoch: int, pts_ns: int, item: T) -> None:
        """Let `item` become the newest, unless the rate limit says that it is not due."""
        if self._limit.admits(pts_ns):
            self._drops.add("stale", self._channel.put_newest((epoch, item)))
        else:
            self._drops.add("rate_limit")


class LiveSource(LiveBase[Shot]):
    """A camera on the network or on USB.

    A thread of its own reads it and keeps the newest frames only: what the consumer is too slow for
    is counted as ``stale``, what exceeds the camera's rate limit as ``rate_limit``, what arrives
    broken as ``corrupt``. A camera that dies or stalls is connected again, with a new `stream_epoch`
    from `next_epoch` at each new connection's first frame.

    Args:
        camera_id: Whose frames these are.
        connect: Opens a connection to it.
        next_epoch: Gives the epochs.
        options: Timeouts, waits and buffers.
        clock: Measures how long connections last.
        drops: Shared with the connection, which counts broken frames there.
        rate_limit_hz: Take at most this many frames a second; ``None`` takes all.
        clock_offset_s: Added to the capture times: minus the known delay of this camera.
        tap: The connection's; told what the frames are called.
    """

    def __init__(
        self,
        camera_id: str,
        connect: Connect,
        next_epoch: NextEpoch,
        *,
        options: LiveOptions,
        clock: Clock,
        drops: DropCounter | None = None,
        rate_limit_hz: float | None = None,
        clock_offset_s: float = 0.0,
        tap: PacketTap | None = None,
    ) -> None:
        super().__init__(
            camera_id,
            next_epoch,
            options=options,
            drops=drops or DropCounter(),
            rate_limit_hz=rate_limit_hz,
            clock_offset_s=clock_offset_s,
            tap=tap,
        )
        self._capture = Capture(
            camera_id,
            connect,
            begin=self._begin,
            deliver=self._deliver,
            lost=lambda: None,
            ended=self._channel.finish,
            options=options,
            clock=clock,
        )

    def _captures(self) -> list[Capture]:
        return [self._capture]

    def _begin(self, info: StreamInfo) -> int:
        self._nominal_hz = info.rate_hz
        return self._begin_epoch()

    def _deliver(self, epoch: int, shot: Shot) -> None:
        self._name(epoch, shot)
        self._offer(epoch, shot.pts_ns, shot)

    def _frame(self, epoch: int, item: Shot) -> Frame:
        at_ns = item.captured_at_ns + self._offset_ns
        return Frame(self._camera_id, epoch, item.pts_ns, at_ns, item.picture.to_bgr())
