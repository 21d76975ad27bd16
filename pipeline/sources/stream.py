"""A connection to a network camera through PyAV: RTSP over TCP or UDP, MJPEG and others over HTTP."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import av
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.errors import SourceError, SourceLost
from pipeline.redact import Address
from pipeline.seams import Clock
from pipeline.sources.channel import DropCounter
from pipeline.sources.connection import Shot, StreamInfo
from pipeline.sources.ffmpeg import decoded, explain_network, open_input, rate_of, video_stream
from pipeline.sources.options import LiveOptions, Transport
from pipeline.sources.picture import BgrConverter, DecodedPicture
from pipeline.sources.tap import PacketTap
from pipeline.sources.timeline import CaptureTimes, Timeline, to_ns

_UNTIMED = frozenset({"mpjpeg", "mjpeg", "h264", "hevc"})
"""Formats without time stamps: FFmpeg numbers their frames at a made-up rate."""

_RTSP = frozenset({"rtsp", "rtsps"})
_LOOK_UP_S = 0.7
"""How long a read may take; fits no usual time between two pictures, since a picture that is just
arriving when a read is given up is lost."""


class _Life:
    """Signs of life: since when no picture has come."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._reading_since_s = self._heard_s = self._seen_s = clock.monotonic_s()

    def heard(self) -> None:
        """A read has ended, with a packet or without."""
        self._reading_since_s, self._heard_s = self._heard_s, self._clock.monotonic_s()

    def seen(self) -> None:
        """The packet that was heard has completed a picture."""
        # A read that takes all its time ends with what FFmpeg had held back, perhaps since the read began.
        held_back = self._heard_s - self._reading_since_s >= _LOOK_UP_S
        self._seen_s = self._reading_since_s if held_back else self._heard_s

    def silent_s(self) -> float:
        """How long it is at most since the last picture arrived."""
        return self._heard_s - self._seen_s


class StreamConnection:
    """An open network stream.

    Args:
        address: Where.
        transport: For RTSP; others ignore it.
        drops: Broken frames are counted here as ``corrupt``.
        tap: Shown every packet before it is decoded; pictures say their packet's ordinal then.

    Raises:
        SourceNotFound, SourceUnreadable: it will not work next time either.
        SourceLost: it may.
    """

    def __init__(
        self,
        address: Address,
        transport: Transport,
        *,
        options: LiveOptions,
        clock: Clock,
        drops: DropCounter,
        tap: PacketTap | None = None,
    ) -> None:
        self._address = address
        self._stall_s = options.stall_s
        self._clock = clock
        self._drops = drops
        self._tap = tap
        self._explain = functools.partial(explain_network, str(address))
        self._container = open_input(
            address.reveal(),
            self._explain,
            _ffmpeg_options(address, transport),
            options.open_timeout_s,
            # RTSP can be read on after a timeout. HTTP cannot: there a timeout is the end.
            min(_LOOK_UP_S, options.stall_s) if address.scheme in _RTSP else options.stall_s,
        )
        try:
            self._stream = video_stream(self._container, str(address))
        except SourceError:
            self._container.close()
            raise
        self._timeline = Timeline(rate_of(self._stream))
        self._times = CaptureTimes()
        self._convert = BgrConverter()

    @property
    def info(self) -> StreamInfo:
        context = self._stream.codec_context
        return StreamInfo(context.name, context.width, context.height, rate_of(self._stream))

    def shots(self) -> Iterator[Shot | None]:
        """Yield pictures as they are decoded; see :class:`pipeline.sources.connection.Connection`."""
        # Threads that each decode a frame would hold every frame back until the next few have come.
        self._stream.codec_context.thread_type = av.codec.context.ThreadType.SLICE
        self._stream.codec_context.copy_opaque = True
        if self._tap is not None:
            self._tap.open_stream(self._stream)
        life = _Life(self._clock)
        for packet in self._packets():
            life.heard()
            if packet is None:
                yield None
            else:
                ordinal = None if self._tap is None else self._tap.packet(packet)
                # A new object for each packet: PyAV finds it by its address when the frame comes out.
                packet.opaque = (ordinal, self._clock.now_ns())
                for frame in decoded(packet, self._drops):
                    life.seen()
                    yield self._shot(frame)
            if life.silent_s() >= self._stall_s:
                raise SourceLost(f"{self._address} has sent no whole picture for {self._stall_s:g} s")

    def close(self) -> None:
        """Hang up."""
        if self._tap is not None:
            self._tap.close_stream()
        self._container.close()

    def _packets(self) -> Iterator[Packet[VideoStream] | None]:
        """The stream's packets, and ``None`` when a read timed out that can be taken up again."""
        while True:
            try:
                yield from self._container.demux(self._stream)
            except (av.FFmpegError, OSError) as error:
                failure = None if self._may_go_on(error) else self._explain(error)
            else:
                return
            if failure is not None:
                raise failure if failure.retriable else SourceLost(str(failure))
            yield None

    def _may_go_on(self, error: Exception) -> bool:
        return isinstance(error, av.error.ExitError) and self._address.scheme in _RTSP

    def _shot(self, frame: VideoFrame) -> Shot:
        marked = frame.opaque
        ordinal, arrived_ns = marked if isinstance(marked, tuple) else (None, self._clock.now_ns())
        raw_ns = self._stamp_of(frame, arrived_ns)
        pts_ns = self._timeline.stamp(raw_ns)
        started_us = self._container.start_time_realtime
        told = raw_ns is not None and started_us is not None and not self._untimed
        return Shot(
            pts_ns=pts_ns,
            captured_at_ns=self._times.place(pts_ns, arrived_ns),
            camera_at_ns=started_us * 1000 + raw_ns if told else None,  # type: ignore[operator]
            picture=DecodedPicture(frame, self._convert),
            ordinal=ordinal,
        )

    def _stamp_of(self, frame: VideoFrame, arrived_ns: int) -> int | None:
        if self._untimed:
            return arrived_ns
        if frame.pts is None or frame.time_base is None:
            return None
        return to_ns(frame.pts, frame.time_base)

    @property
    def _untimed(self) -> bool:
        return self._container.format.name in _UNTIMED


def _ffmpeg_options(address: Address, transport: Transport) -> dict[str, str]:
    if address.scheme in _RTSP:
        return {
            "rtsp_transport": transport.value,
            "allowed_media_types": "video",
            # Cameras describe their stream when asked; looking at seconds of it first only delays the start.
            "probesize": "32",
            "fpsprobesize": "0",
            "analyzeduration": "500000",
        }
    # A playlist from the network must not open files of this machine.
    return {"protocol_whitelist": "http,https,tcp,tls,crypto", "analyzeduration": "1000000"}
