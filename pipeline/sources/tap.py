"""Where somebody listens who keeps footage: the seams between sources and recording.

A tap never keeps a source waiting longer than it wants, and never raises: what it could not take it counts.
"""

from __future__ import annotations

from typing import Protocol

from av.packet import Packet
from av.video.stream import VideoStream

from pipeline.types import Frame


class Tap(Protocol):
    """Listens to one source.

    Attributes:
        dropped_by_cause: Packets or frames that it could not take, counted by cause.
    """

    @property
    def dropped_by_cause(self) -> dict[str, int]: ...

    def close(self) -> None:
        """The source has ended: return when all is kept; safe twice."""
        ...


class PacketTap(Tap, Protocol):
    """Takes the packets of one camera before they are decoded, and the names of its frames afterwards.

    It is called by one thread at a time.
    """

    def open_stream(self, stream: VideoStream) -> None:
        """A connection was opened; ordinals count from 0 again."""
        ...

    def packet(self, packet: Packet[VideoStream]) -> int:
        """Take the next packet, in the order of decoding, also the empty one that flushes the decoder.

        Returns its ordinal.
        """
        ...

    def frame(self, ordinal: int, stream_epoch: int, pts_ns: int, captured_at_ns: int | None) -> None:
        """The pipeline calls the frame that came from packet `ordinal` so; in the order of time.

        The capture time is the connection's own, before the camera's offset is added.
        """
        ...

    def close_stream(self) -> None:
        """The connection has ended."""
        ...


class PictureTap(Tap, Protocol):
    """Takes the frames of a source that has no packets, or none that may be kept."""

    def write(self, frame: Frame) -> None:
        """Take the next frame, whose pixels nobody changes any more."""
        ...
