"""What a reader calls while it reads: packets before they are decoded, and how it names their frames."""

from __future__ import annotations

from pathlib import Path

import structlog
from av.packet import Packet
from av.video.stream import VideoStream

from audit.recording.disk import OnClosed, OnError, SegmentDisk
from audit.recording.inbox import Inbox
from audit.recording.muxing import KeptPacket, StreamTemplate, is_described
from audit.recording.options import RecordingOptions
from audit.recording.writer import NamedFrame, SegmentWriter
from pipeline.errors import StorageError
from pipeline.seams import Clock
from pipeline.sources.channel import DropCounter
from pipeline.sources.worker import Worker

log = structlog.get_logger(__name__)


class PacketRecorder:
    """Records the packets of one camera, as they are.

    ::

        recorder.open_stream(stream)            # connected
        ordinal = recorder.packet(packet)       # before it is decoded
        recorder.frame(ordinal, epoch, ...)     # for every frame that is decoded, with its packet's ordinal
        recorder.close_stream()                 # disconnected

    A frame carries its packet's ``opaque`` where the decoder has ``copy_opaque`` set. That must be a new
    object for each packet, say a tuple with the ordinal: PyAV finds it by its address, and plain small
    numbers, which several cameras use at once, get lost.

    Only copies are made in the caller's thread; another writes them. If the disk is too slow, packets up to
    the next key frame that finds room are dropped and counted. No call raises for want of a disk.

    Args:
        root: The folder ``recordings``.
        camera_id: Whose.
        options: Sizes and times.
        clock: For when segments were closed, and for waits.
        on_closed: Told of every closed segment, in the writing thread.
        on_error: Told once of every fault, in the writing thread.
        patient: Let the caller wait for the disk: for files, which lose nothing by it.
        clock_offset_s: Added to the capture times, as the source adds it to those of its frames.
    """

    def __init__(
        self,
        root: Path,
        camera_id: str,
        options: RecordingOptions,
        *,
        clock: Clock,
        on_closed: OnClosed,
        on_error: OnError,
        patient: bool = False,
        clock_offset_s: float = 0.0,
    ) -> None:
        self._camera_id = camera_id
        self._offset_ns = round(clock_offset_s * 1e9)
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
        self._inbox: Inbox[KeptPacket | NamedFrame | StreamTemplate | None] = Inbox(
            options.queue_bytes, patient=patient
        )
        self._next_ordinal = 0
        self._takes = False
        self._unknown: VideoStream | None = None
        self._worker = Worker(self._run, self._inbox.end, name=f"record-{camera_id}")
        self._begun = self._closed = False

    @property
    def dropped_by_cause(self) -> dict[str, int]:
        """Packets that were not kept: ``slow_disk``, and the causes of the writer."""
        return self._drops.as_dict()

    def open_stream(self, stream: VideoStream) -> None:
        """A connection was opened; ordinals count from 0 again."""
        self._next_ordinal = 0
        if not self._begun:
            self._begun = True
            self._worker.start()
        self._takes, self._unknown = False, None
        if is_described(stream):
            self._describe(stream)
        else:
            self._unknown = stream

    def _describe(self, stream: VideoStream, key: bytes | None = None) -> None:
        try:
            self._takes = self._inbox.put(StreamTemplate(stream, key))
        except StorageError as error:
            self._on_error(error)

    def packet(self, packet: Packet[VideoStream]) -> int:
        """Take a packet of the stream, in the order of decoding. Returns its ordinal in the stream.

        The empty packet that flushes a decoder may be given as well.
        """
        ordinal = self._next_ordinal
        if packet.size:
            self._next_ordinal += 1
            self._wait_for_key(packet)
            taken = not self._takes or self._inbox.put(KeptPacket.copy(ordinal, packet), packet.size)
            if not taken and not self._closed:
                self._drops.add("slow_disk")
        return ordinal

    def _wait_for_key(self, packet: Packet[VideoStream]) -> None:
        """Where the stream did not describe itself its first key frame does."""
        if self._unknown is None:
            return
        if packet.is_keyframe:
            stream, self._unknown = self._unknown, None
            self._describe(stream, bytes(packet))
        else:
            self._drops.add("before_key_frame")

    def frame(self, ordinal: int, stream_epoch: int, pts_ns: int, captured_at_ns: int | None) -> None:
        """Say how the pipeline names the frame that came from packet `ordinal`, in the order of time."""
        at_ns = None if captured_at_ns is None else captured_at_ns + self._offset_ns
        if self._takes:
            self._inbox.put(NamedFrame(ordinal, stream_epoch, pts_ns, at_ns))

    def close_stream(self) -> None:
        """The connection has ended. Returns at once; the segment is closed soon."""
        self._inbox.put(None)
        self._takes, self._unknown = False, None

    def close(self) -> None:
        """Write what waits, close the segment, and return when that is done; safe twice.

        What comes later, from a capture that has not heard of the end yet, is not footage that was lost.
        """
        self._closed = True
        self._worker.close()

    def _run(self) -> None:
        try:
            for item in self._inbox:
                self._handle(item)
            self._writer.close()
        except Exception as error:  # a fault of this program must not end the capture
            log.exception("recording has ended", camera=self._camera_id)
            self._on_error(
                StorageError(f"the footage of {self._camera_id} is not recorded any more: {error!r}")
            )
        finally:
            self._inbox.end()

    def _handle(self, item: KeptPacket | NamedFrame | StreamTemplate | None) -> None:
        match item:
            case KeptPacket():
                self._writer.packet(item)
            case NamedFrame():
                self._writer.frame(item)
            case StreamTemplate():
                self._writer.open_stream(item)
            case None:
                self._writer.close()
