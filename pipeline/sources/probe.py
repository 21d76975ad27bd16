"""Tries one camera for a few seconds and says what it delivers."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import SourceLost
from pipeline.seams import Clock
from pipeline.sources.connection import Connect, Connection, Shot, StreamInfo
from pipeline.types import ByteArray


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """What a camera delivered.

    Attributes:
        info: Codec, size and nominal rate; the size is the picture's own.
        connect_s: Time until the camera had described its stream.
        first_picture_s: Time until the first whole picture.
        pictures: How many came while it was watched.
        rate_hz: Pictures a second as measured by the stream's own time; 0 for a single picture.
        delay_s: From when a picture was taken by the camera's clock to its arrival by ours, if the camera
            tells: the time on the way plus the difference of the clocks.
        picture: The last one, uint8 (H, W, 3), BGR.
    """

    info: StreamInfo
    connect_s: float
    first_picture_s: float
    pictures: int
    rate_hz: float
    delay_s: float | None
    picture: ByteArray


def probe(connect: Connect, watch_s: float, clock: Clock) -> Probe:
    """Connect, watch for `watch_s` seconds from the first picture on, and hang up.

    Raises:
        SourceNotFound, SourceUnreadable, SourceLost: there was no picture.
    """
    started_s = clock.monotonic_s()
    connection = connect()
    try:
        return _watch(connection, started_s, watch_s, clock)
    finally:
        connection.close()


def _watch(connection: Connection, started_s: float, watch_s: float, clock: Clock) -> Probe:
    connected_s = clock.monotonic_s()
    shots = (shot for shot in connection.shots() if shot is not None)
    first = next(shots, None)
    if first is None:
        raise SourceLost("the camera ended the stream before its first picture; try again")
    seen_s = clock.monotonic_s()
    last, count = first, 1
    while clock.monotonic_s() - seen_s < watch_s:
        shot = next(shots, None)
        if shot is None:
            break
        last, count = shot, count + 1
    return _report(connection.info, first, last, count, (connected_s - started_s, seen_s - started_s))


def _report(info: StreamInfo, first: Shot, last: Shot, count: int, times_s: tuple[float, float]) -> Probe:
    picture = last.picture.to_bgr()
    lasted_s = (last.pts_ns - first.pts_ns) / 1e9
    delay_ns = None if last.camera_at_ns is None else last.captured_at_ns - last.camera_at_ns
    return Probe(
        info=StreamInfo(info.codec, picture.shape[1], picture.shape[0], info.rate_hz),
        connect_s=times_s[0],
        first_picture_s=times_s[1],
        pictures=count,
        rate_hz=(count - 1) / lasted_s if lasted_s > 0 else 0.0,
        delay_s=None if delay_ns is None else delay_ns / 1e9,
        picture=picture,
    )
