"""Recording of sources that have pictures and no packets: they are encoded to H.264 first."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import structlog
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import VideoReformatter

from audit.recording.disk import OnClosed, OnError, SegmentDisk
from audit.recording.inbox import Inbox
from audit.recording.muxing import KeptPacket, StreamTemplate
from audit.recording.options import RecordingOptions
from audit.recording.writer import NamedFrame, SegmentWriter
from pipeline.errors import StorageError
from pipeline.seams import Clock
from pipeline.sources.channel import DropCounter
from pipeline.sources.worker import Worker
from pipeline.types import ByteArray, Frame

log = structlog.get_logger(__name__)

_TICKS_HZ = 90_000
_KEY_EVERY_S = 2.0


class FrameRecorder:
    """Records the frames of one camera, encoded by another thread than the caller's.

    What a mask has blacked out is not in the recording either: give it the frames behind the mask.

    Args:
        root: The folder ``recordings``.
        camera_id: Whose.
        options: Sizes, times and quality.
        rate_hz: Nominal frames per second.
        clock: For when segments were closed, and for waits.
        on_closed: Told of every closed segment, in the writing thread.
        on_error: Told once of every fault, in the writing thread.
        patient: Let the caller wait for the encoder: for folders, which lose nothing by it.
    """

    def __init__(
        self,
        root: Path,
        camera_id: str,
        options: RecordingOptions,
        *,
        rate_hz: float,
        clock: Clock,
        on_closed: OnClosed,
        on_error: OnError,
        patient: bool = False,
    ) -> None:
        self._camera_id = camera_id
        self._options = options
        self._rate_hz = rate_hz
        self._on_error = on_error
        self._drops = DropCounter()
        disk = SegmentDisk(
            root,
            camera_id,
            options,
            clock=clock,
            on_closed=on_closed,
            on_error=on_error,
            drops=self._drops,
        )
        self._writer = SegmentWriter(camera_id, disk, options, self._drops)
        self._inbox: Inbox[Frame] = Inbox(options.queue_bytes, patient=patient)
        self._encoder: _Encoder | None = None
        self._of: tuple[int, tuple[int, ...]] | None = None
        self._worker = Worker(self._run, self._inbox.end, name=f"record-{camera_id}")
        self._worker.start()

    @property
    def dropped_by_cause(self) -> dict[str, int]:
        """Frames that were not kept: ``slow_disk`` (or encoder), and the causes of the writer."""
        return self._drops.as_dict()

    def write(self, frame: Frame) -> None:
        """Take the next frame, whose pixels must not be changed any more."""
        if not self._inbox.put(frame, frame.image_bgr.nbytes):
            self._drops.add("slow_disk")

    def close(self) -> None:
        """Write what waits, close the segment, and return when that is done; safe twice."""
        self._worker.close()

    def _run(self) -> None:
        try:
            for frame in self._inbox:
                self._record(frame)
            self._writer.close()
        except Exception as error:  # a fault of this program must not end the capture
            log.exception("recording has ended", camera=self._camera_id)
            name = self._camera_id
            self._on_error(StorageError(f"the footage of {name} is not recorded any more: {error!r}"))
        finally:
            self._inbox.end()

    def _record(self, frame: Frame) -> None:
        encoder = self._encoder_for(frame)
        for kept in encoder.encode(frame.image_bgr, frame.pts_ns, key=self._writer.wants_key_frame):
            self._writer.packet(kept)
            named = NamedFrame(kept.ordinal, frame.stream_epoch, frame.pts_ns, frame.captured_at_ns)
            self._writer.frame(named)

    def _encoder_for(self, frame: Frame) -> _Encoder:
        """Another epoch and another size of the pictures are each a stream of their own."""
        of = (frame.stream_epoch, frame.image_bgr.shape)
        if self._encoder is None or self._of != of:
            height, width = frame.image_bgr.shape[:2]
            self._encoder, self._of = _Encoder(width, height, self._rate_hz, self._options), of
            self._writer.open_stream(StreamTemplate(self._encoder.stream), (width, height))
        return self._encoder


class _Encoder:
    """H.264 without delay, a packet a picture. Odd sizes are made even with the last row or column."""

    def __init__(self, width_px: int, height_px: int, rate_hz: float, options: RecordingOptions) -> None:
        # FFmpeg's parameters are complete once a container has begun: one that is thrown away.
        self._container = av.open(io.BytesIO(), "w", format="mp4")
        rate = Fraction(rate_hz).limit_denominator(1001)
        stream = self._container.add_stream("libx264", rate=rate)
        stream.width, stream.height = width_px + width_px % 2, height_px + height_px % 2
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS_HZ)
        stream.time_base = Fraction(1, _TICKS_HZ)
        key_every = max(1, round(_KEY_EVERY_S * rate_hz))
        stream.options = {
            "crf": str(options.crf),
            "preset": options.preset,
            "tune": "zerolatency",
            "g": str(key_every),
            "forced-idr": "1",
        }
        self._container.start_encoding()
        self.stream = stream
        self._reformatter = VideoReformatter()
        self._ordinal = 0
        self._last_tick = -1

    def encode(self, image_bgr: ByteArray, pts_ns: int, *, key: bool) -> list[KeptPacket]:
        """The packet of one picture; uint8 (H, W, 3) of the size that was said."""
        height, width = image_bgr.shape[:2]
        even = np.pad(image_bgr, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = VideoFrame.from_ndarray(even, format="bgr24")
        frame = self._reformatter.reformat(frame, format="yuv420p", threads=1)
        self._last_tick = max(self._last_tick + 1, pts_ns * _TICKS_HZ // 1_000_000_000)
        frame.pts, frame.time_base = self._last_tick, Fraction(1, _TICKS_HZ)
        frame.pict_type = PictureType.I if key else PictureType.NONE
        packets = [packet for packet in self.stream.encode(frame) if packet.size]
        first, self._ordinal = self._ordinal, self._ordinal + len(packets)
        return [KeptPacket.copy(first + number, packet) for number, packet in enumerate(packets)]
