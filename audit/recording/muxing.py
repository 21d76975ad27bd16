"""Packets into a container without touching them: fragmented MP4, and Matroska for what MP4 does not take."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from audit.recording.layout import MEDIA_SUFFIXES
from audit.recording.media import GrowingFile
from pipeline.errors import StorageError
from pipeline.sources.ffmpeg import rate_of

if TYPE_CHECKING:
    from av.container import OutputContainer


@dataclass(frozen=True, slots=True, eq=False)
class KeptPacket:
    """A packet of our own, so that neither decoding it nor closing its source can touch what is recorded.

    Attributes:
        ordinal: Its number in the stream.
        packet: The copy; its stamps are those of the source.
        size_bytes: Its size.
        is_key: Whether decoding can begin here.
    """

    ordinal: int
    packet: Packet[Stream]
    size_bytes: int
    is_key: bool

    @classmethod
    def copy(cls, ordinal: int, packet: Packet[VideoStream]) -> KeptPacket:
        """Copy bytes, stamps and side data."""
        own = Packet(bytes(packet))
        own.pts, own.dts, own.duration = packet.pts, packet.dts, packet.duration
        own.is_keyframe = packet.is_keyframe
        for data in packet.iter_sidedata():
            own.set_sidedata(data)
        return cls(ordinal, own, packet.size, packet.is_keyframe)


_SELF_DESCRIBED = {"h264": "h264", "hevc": "hevc"}
"""Codecs whose key frames may say what the stream should have said, and FFmpeg's formats of them bare."""


def is_described(stream: VideoStream) -> bool:
    """Whether a stream to read says all that a container needs.

    Some cameras leave it to their key frames, and whoever connects between two of them has to wait.
    """
    context = stream.codec_context
    return context.name not in _SELF_DESCRIBED or bool(context.width and context.extradata)


class StreamTemplate:
    """What a stream says about itself, kept so that segments can be opened after the stream has gone.

    Args:
        stream: An open stream to read, or one to encode whose container has begun.
        key: The bytes of a key packet of a stream that :func:`is_described` says nothing of.

    Raises:
        StorageError: neither container takes its codec.
    """

    def __init__(self, stream: VideoStream, key: bytes | None = None) -> None:
        self.codec = stream.codec_context.codec.canonical_name
        self.time_base = stream.time_base or Fraction(1, 90_000)
        self.rate_hz = rate_of(stream)
        # FFmpeg's parameters belong to a container: to one that is never written.
        held = av.open(io.BytesIO(), "w", format="matroska")
        try:
            if key is None:
                self._held = held, held.add_stream_from_template(stream, opaque=True)
            else:
                with av.open(io.BytesIO(key), format=_SELF_DESCRIBED[self.codec]) as bare:
                    self._held = held, held.add_stream_from_template(bare.streams.video[0], opaque=True)
        except (ValueError, IndexError, av.FFmpegError) as error:
            raise self._refused() from error
        suffix = next((suffix for suffix in MEDIA_SUFFIXES if self._fits(suffix)), None)
        if suffix is None:
            raise self._refused()
        self.suffix = suffix

    def add_to(self, container: OutputContainer) -> VideoStream:
        """A stream like this one in `container`. "opaque": its parameters as they are, no encoder is made."""
        return container.add_stream_from_template(self._held[1], opaque=True)

    def _fits(self, suffix: str) -> bool:
        """Whether a container's header can be written for this stream."""
        name, options = _format(suffix, 1.0)
        container = av.open(io.BytesIO(), "w", format=name, options=options)
        try:
            self.add_to(container)
            container.start_encoding()
        except (ValueError, av.FFmpegError):
            return False
        return True

    def _refused(self) -> StorageError:
        return StorageError(
            f"video in {self.codec} cannot be kept as it is: set the camera to H.264 or H.265, or record its "
            "pictures"
        )


class Muxer:
    """Writes the packets of one segment.

    The container's stamps begin at zero and always grow, whatever the source's do: players want that, and
    the source's own are in the index.

    Args:
        template: The stream.
        file: Where to.
        fragment_s: After how long packets are written out.
    """

    def __init__(self, template: StreamTemplate, file: GrowingFile, fragment_s: float) -> None:
        name, options = _format(template.suffix, fragment_s)
        self._container = av.open(file, "w", format=name, options=options)
        self._stream = template.add_to(self._container)
        self._stamps = Stamps(template.time_base, template.rate_hz)

    def write(self, kept: KeptPacket) -> None:
        """Add a packet and use it up. Raises ``OSError`` as the file does, or ``av.FFmpegError``."""
        packet = kept.packet  # its own stamps are in the index by now
        packet.pts, packet.dts = self._stamps.of(packet.pts, packet.dts, packet.duration or 0)
        packet.time_base = self._stamps.time_base
        packet.stream = self._stream
        self._container.mux_one(packet)

    def close(self) -> None:
        """End the container, and write what waits. Raises as :meth:`write`."""
        self._container.close()


def _format(suffix: str, fragment_s: float) -> tuple[str, dict[str, str]]:
    """FFmpeg's name of a container and its options. Both are written in one go from front to back."""
    if suffix == "mp4":
        # The header comes first and empty, and every fragment can be played without those after it.
        flags = {"movflags": "empty_moov+default_base_moof", "frag_duration": str(round(fragment_s * 1e6))}
        return "mp4", {**flags, "flush_packets": "1"}
    limit = {"cluster_time_limit": str(max(1, round(fragment_s * 1e3)))}
    return "matroska", {**limit, "flush_packets": "1"}


class Stamps:
    """A container's stamps: from zero, decoding times growing, nothing shown before it is decoded.

    Args:
        time_base: Of the source's stamps and of these.
        rate_hz: Nominal frames per second, for what has no stamps.
    """

    def __init__(self, time_base: Fraction, rate_hz: float) -> None:
        self.time_base = time_base
        self._period = max(1, round(1 / (rate_hz * time_base)))
        self._shift: int | None = None
        self._last: int | None = None

    def restart(self) -> None:
        """What comes now has other stamps than what was before, and follows it at once."""
        self._shift = None

    def of(self, pts: int | None, dts: int | None, duration: int) -> tuple[int, int]:
        """Stamps for a packet that the source stamped `pts` and `dts`."""
        source = pts if dts is None else dts
        following = 0 if self._last is None else self._last + (duration or self._period)
        if source is not None and (self._shift is None or source + self._shift <= (self._last or 0)):
            self._shift = following - source
        own = following if source is None or self._shift is None else source + self._shift
        self._last = own
        shown = own if pts is None or self._shift is None else pts + self._shift
        return max(own, shown), own
