"""Video as the camera sends it, for players in browsers: H.264 as fragments of MP4, and nothing is encoded.

Media Source Extensions take ISO BMFF byte streams: an initialisation segment, then media segments that begin
where decoding can (W3C, "ISO BMFF Byte Stream Format"). Here every picture is a segment of its own, so that
none waits for the next ones.
"""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass

import av
import structlog
from av.packet import Packet
from av.video.stream import VideoStream

from audit.recording.muxing import KeptPacket, Stamps, StreamTemplate, is_described
from pipeline.errors import StorageError
from workers.live.codec_name import codec_name

log = structlog.get_logger(__name__)

MAX_BYTES = 24 * 1024 * 1024
"""Of what is kept for players; a camera that sends more between two key pictures is not shown so."""

_LENGTH = struct.Struct(">I")
_FORMAT = {"movflags": "empty_moov+default_base_moof+frag_every_frame", "flush_packets": "1"}


@dataclass(frozen=True, slots=True)
class Place:
    """How far a player is: in which stream, and after which of its pictures."""

    stream: int
    picture: int


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """What a player gets next.

    Attributes:
        place: Where the player is afterwards.
        codec: For ``MediaSource.isTypeSupported``, e.g. ``avc1.64001f``.
        init: A player begins anew with it; empty where it goes on.
        data: Media segments.
    """

    place: Place
    codec: str
    init: bytes
    data: bytes


def pack_chunk(camera_id: str, chunk: Chunk, now_ns: int) -> bytes:
    """As it travels: like a picture, a header in JSON with its length before it, then the bytes.

    Args:
        camera_id: Whose it is.
        chunk: What is sent.
        now_ns: When.
    """
    header = {
        "kind": "video",
        "camera": camera_id,
        "codec": chunk.codec,
        "begins": bool(chunk.init),
        "server_now_ns": now_ns,
    }
    text = json.dumps(header).encode()
    return _LENGTH.pack(len(text)) + text + chunk.init + chunk.data


class VideoRing:
    """The newest video of one camera: since the last picture but one at which decoding can begin.

    Whoever comes begins at the last one; whoever is somewhat behind finds what they miss. Safe from any
    thread.

    Args:
        max_bytes: Of all that is kept.
        stream: Number of the stream before the first one.
    """

    def __init__(self, max_bytes: int = MAX_BYTES, stream: int = 0) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._stream = stream
        self._first = self._key = self._size = 0
        self._codec, self._init = "", b""
        self._pictures: list[bytes] = []

    @property
    def stream(self) -> int:
        """Number of the newest stream."""
        return self._stream

    def begin(self, codec: str, init: bytes) -> None:
        """A new stream; pictures of the one before are of no use with it."""
        with self._lock:
            self._stream += 1
            self._codec, self._init = codec, init
            self._forget(len(self._pictures))

    def add(self, picture: bytes, is_key: bool) -> None:
        """The next picture."""
        with self._lock:
            if is_key:
                self._forget(self._key)
                self._key = len(self._pictures)
            elif not self._pictures:
                return
            self._pictures.append(picture)
            self._size += len(picture)
            if self._size > self._max_bytes:
                self._forget(self._key or len(self._pictures))

    def since(self, place: Place | None) -> Chunk | None:
        """What a player at `place` has not seen, or all that one needs who must begin anew."""
        with self._lock:
            begins = place is None or place.stream != self._stream or place.picture + 1 < self._first
            after = self._key if begins or place is None else place.picture + 1 - self._first
            fresh = self._pictures[after:]
            if not fresh:
                return None
            here = Place(self._stream, self._first + len(self._pictures) - 1)
            return Chunk(here, self._codec, self._init if begins else b"", b"".join(fresh))

    def _forget(self, pictures: int) -> None:
        """The oldest ones."""
        self._size -= sum(map(len, self._pictures[:pictures]))
        self._pictures = self._pictures[pictures:]
        self._first += pictures
        self._key = max(0, self._key - pictures)


class VideoTap:
    """A :class:`pipeline.sources.tap.PacketTap` that fills a ring while somebody wants it.

    Args:
        camera_id: Whose packets.
        ring: What is filled.
        wanted: Whether somebody watches.
        news: Told of every picture.
    """

    def __init__(
        self, camera_id: str, ring: VideoRing, wanted: Callable[[], bool], news: Callable[[], None]
    ) -> None:
        self._camera_id, self._ring, self._wanted, self._news = camera_id, ring, wanted, news
        self._stream: VideoStream | None = None
        self._muxer: _Muxer | None = None
        self._ordinal = 0

    @property
    def dropped_by_cause(self) -> dict[str, int]:
        """Nothing is lost here that anybody keeps."""
        return {}

    @property
    def is_wanted(self) -> bool:
        """Whether somebody watches."""
        return self._wanted()

    def open_stream(self, stream: VideoStream) -> None:
        """A connection was opened; anything but H.264 is not shown so."""
        self._ordinal, self._muxer = 0, None
        self._stream = stream if stream.codec_context.name == "h264" else None

    def packet(self, packet: Packet[VideoStream]) -> int:
        """Take the next packet; its ordinal."""
        ordinal = self._ordinal
        if packet.size:
            self._ordinal += 1
            self._take(packet)
        return ordinal

    def frame(self, ordinal: int, stream_epoch: int, pts_ns: int, captured_at_ns: int | None) -> None:
        """Names of frames are of no use to a player."""

    def close_stream(self) -> None:
        """The connection has ended."""
        self._stream = self._muxer = None

    def close(self) -> None:
        """The source has ended."""
        self.close_stream()

    def _take(self, packet: Packet[VideoStream]) -> None:
        if self._stream is None or not self.is_wanted:
            self._muxer = None
            return
        try:
            if self._muxer is None and packet.is_keyframe:
                self._muxer = self._begin(self._stream, packet)
            if self._muxer is not None:
                self._write(self._muxer, packet)
        except (av.FFmpegError, StorageError, ValueError) as error:
            log.warning("video cannot be shown as it is sent", camera=self._camera_id, error=str(error))
            self._stream = self._muxer = None

    def _begin(self, stream: VideoStream, packet: Packet[VideoStream]) -> _Muxer:
        muxer = _Muxer(StreamTemplate(stream, None if is_described(stream) else bytes(packet)))
        self._ring.begin(codec_name(muxer.init), muxer.init)
        return muxer

    def _write(self, muxer: _Muxer, packet: Packet[VideoStream]) -> None:
        for picture, is_key in muxer.write(KeptPacket.copy(0, packet)):
            self._ring.add(picture, is_key)
            self._news()


class _Written:
    """What FFmpeg writes; without ``seek``, so that it never goes back."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._data)
        self._data.clear()
        return taken


class _Muxer:
    """Makes segments of packets; a picture comes out when the next one says how long it lasts."""

    def __init__(self, template: StreamTemplate) -> None:
        self._written = _Written()
        self._container = av.open(self._written, "w", format="mp4", options=_FORMAT)
        self._stream = template.add_to(self._container)
        self._stamps = Stamps(template.time_base, template.rate_hz)
        self._before: bool | None = None
        self._container.start_encoding()
        self.init = self._written.take()

    def write(self, kept: KeptPacket) -> list[tuple[bytes, bool]]:
        """Use up a packet; the picture before it, and whether that is a key picture, if there was one."""
        packet = kept.packet
        packet.pts, packet.dts = self._stamps.of(packet.pts, packet.dts, packet.duration or 0)
        packet.time_base, packet.stream = self._stamps.time_base, self._stream
        self._container.mux_one(packet)
        before, self._before = self._before, kept.is_key
        data = self._written.take()
        return [(data, before)] if data and before is not None else []
