"""Several taps on one source."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from av.packet import Packet
from av.video.stream import VideoStream

from pipeline.sources.tap import PacketTap

if TYPE_CHECKING:
    from pipeline.seams import FrameSource


class Taps:
    """A :class:`PacketTap` that passes everything on to two.

    Args:
        first: Its ordinals are those that count, and what it could not take is what was dropped.
        second: Listens as well.
    """

    def __init__(self, first: PacketTap, second: PacketTap) -> None:
        self._first, self._second = first, second

    @property
    def dropped_by_cause(self) -> dict[str, int]:
        """Of the first."""
        return self._first.dropped_by_cause

    def open_stream(self, stream: VideoStream) -> None:
        """See :class:`PacketTap`, here and below."""
        self._first.open_stream(stream)
        self._second.open_stream(stream)

    def packet(self, packet: Packet[VideoStream]) -> int:
        ordinal = self._first.packet(packet)
        self._second.packet(packet)
        return ordinal

    def frame(self, ordinal: int, stream_epoch: int, pts_ns: int, captured_at_ns: int | None) -> None:
        self._first.frame(ordinal, stream_epoch, pts_ns, captured_at_ns)
        self._second.frame(ordinal, stream_epoch, pts_ns, captured_at_ns)

    def close_stream(self) -> None:
        self._first.close_stream()
        self._second.close_stream()

    def close(self) -> None:
        self._first.close()
        self._second.close()


def also_tapped(open_source: Callable[..., FrameSource], own: PacketTap) -> Callable[..., FrameSource]:
    """`open_source`, whose packets go to `own` besides the tap that it is given, if any."""

    def opened(*, tap: PacketTap | None = None) -> FrameSource:
        return open_source(tap=own if tap is None else Taps(tap, own))

    return opened
