"""One connection to one live camera, as long as it lasts: the seam between devices and reconnecting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from pipeline.types import ByteArray


class Picture(Protocol):
    """A captured picture that costs nothing until it is asked for."""

    def to_bgr(self) -> ByteArray:
        """uint8 (H, W, 3), BGR, C-contiguous, writable, owned by the caller; may be asked for once."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture as a connection delivered it, not yet converted.

    Attributes:
        pts_ns: Time since the connection's first picture.
        captured_at_ns: When it was taken by our wall clock, nanoseconds since 1970 UTC.
        camera_at_ns: The same by the camera's own clock, ``None`` where it does not tell.
        picture: The pixels, on request.
        ordinal: Of the packet that it came from, as the connection's tap counts; ``None`` without a tap.
    """

    pts_ns: int
    captured_at_ns: int
    camera_at_ns: int | None
    picture: Picture
    ordinal: int | None = None


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a camera says about its stream: ``h264``, 1920, 1080, 25.0; zero where it does not say."""

    codec: str
    width_px: int
    height_px: int
    rate_hz: float


class Connection(Protocol):
    """An open connection, used by one thread."""

    @property
    def info(self) -> StreamInfo: ...

    def shots(self) -> Iterator[Shot | None]:
        """Yield pictures as they come; the end of the iteration is the end of the connection.

        Where it can, yields ``None`` when nothing has come for a while, so that the reader may leave.

        Raises:
            SourceLost: it broke, or no picture came for too long.
            SourceUnreadable: what it sends is no video that can be decoded.
        """
        ...

    def close(self) -> None:
        """Release the device or socket."""
        ...


Connect = Callable[[], Connection]
"""Opens a connection.

Raises ``SourceLost`` where trying again later may help, ``SourceNotFound`` or ``SourceUnreadable``
where somebody has to correct something first.
"""
