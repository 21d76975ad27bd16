"""From what is wanted to a source that delivers it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from pipeline.region import PrivacyMask
from pipeline.seams import Clock, FrameSource
from pipeline.sources.channel import DropCounter
from pipeline.sources.connection import Connect
from pipeline.sources.file import FileSource
from pipeline.sources.folder import FolderSource
from pipeline.sources.live import LiveSource, NextEpoch
from pipeline.sources.masked import MaskedSource
from pipeline.sources.options import LiveOptions, Transport
from pipeline.sources.pace import RealtimeSource
from pipeline.sources.paired import PairedSource
from pipeline.sources.select import FileSpec, FolderSpec, StreamSpec, UsbSpec, camera_id_of
from pipeline.sources.stream import StreamConnection
from pipeline.sources.tap import PacketTap
from pipeline.sources.usb import UsbConnection

LiveSpec = StreamSpec | UsbSpec


@dataclass(frozen=True, slots=True)
class FootageOptions:
    """How recorded footage is played.

    Attributes:
        started_at_ns: Wall-clock time of the first frame, nanoseconds since 1970 UTC, if known.
        image_rate_hz: Frames per second of a folder of images.
        realtime: Deliver frames no faster than they were recorded.
        threads: Decoder threads; ``None``: half of the processors, 0: as FFmpeg chooses.
    """

    started_at_ns: int | None = None
    image_rate_hz: float = 1.0
    realtime: bool = False
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """How one live camera is read.

    Attributes:
        camera_id: Whose frames these are.
        main: The camera; crops are cut from its pictures.
        substream: A smaller stream of the same camera to detect on, if it has one.
        transport: For RTSP.
        rate_limit_hz: Take at most this many frames a second.
        clock_offset_s: Added to the capture times.
        mask: What nobody may see.
    """

    camera_id: str
    main: LiveSpec
    substream: StreamSpec | None = None
    transport: Transport = Transport.TCP
    rate_limit_hz: float | None = None
    clock_offset_s: float = 0.0
    mask: PrivacyMask | None = None

    @property
    def has_packets(self) -> bool:
        """Whether there are packets that may be kept and shown: a mask does not hide anything in them."""
        return isinstance(self.main, StreamSpec) and self.mask is None


def open_footage(
    spec: FileSpec | FolderSpec,
    options: FootageOptions,
    clock: Clock,
    camera_id: str | None = None,
    *,
    tap: PacketTap | None = None,
) -> FrameSource:
    """A file or folder as a source; `tap` gets the packets of a file.

    Raises:
        SourceNotFound, SourceUnreadable: it is not there, or holds nothing that can be read.
    """
    source: FrameSource
    name, started_at_ns = camera_id or camera_id_of(spec), options.started_at_ns
    match spec:
        case FileSpec(path):
            source = FileSource(
                path, camera_id=name, started_at_ns=started_at_ns, threads=options.threads, tap=tap
            )
        case FolderSpec(path):
            source = FolderSource(
                path, camera_id=name, started_at_ns=started_at_ns, rate_hz=options.image_rate_hz
            )
    return RealtimeSource(source, clock) if options.realtime else source


def open_camera(
    plan: CameraPlan,
    next_epoch: NextEpoch,
    options: LiveOptions,
    clock: Clock,
    *,
    tap: PacketTap | None = None,
) -> FrameSource:
    """A live camera as a source; connects when its frames are asked for, not before.

    `tap` gets the packets of a network camera's main stream.

    Raises:
        ValueError: there is a tap although the camera has a mask: packets hold what the mask hides.
    """
    if tap is not None and plan.mask is not None:
        raise ValueError(f"{plan.camera_id} has a privacy mask, which its packets would show through")
    drops = DropCounter()
    source: FrameSource
    main = connector(plan.main, plan.transport, options, clock, drops, tap=tap)
    if plan.substream is None:
        source = LiveSource(
            plan.camera_id,
            main,
            next_epoch,
            options=options,
            clock=clock,
            drops=drops,
            rate_limit_hz=plan.rate_limit_hz,
            clock_offset_s=plan.clock_offset_s,
            tap=tap,
        )
    else:
        source = PairedSource(
            plan.camera_id,
            main,
            connector(plan.substream, plan.transport, options, clock, DropCounter()),
            next_epoch,
            options=options,
            clock=clock,
            drops=drops,
            rate_limit_hz=plan.rate_limit_hz,
            clock_offset_s=plan.clock_offset_s,
            tap=tap,
        )
    return source if plan.mask is None else MaskedSource(source, plan.mask)


def connector(
    spec: LiveSpec,
    transport: Transport,
    options: LiveOptions,
    clock: Clock,
    drops: DropCounter,
    *,
    tap: PacketTap | None = None,
) -> Connect:
    """What opens a connection to `spec`; broken frames are counted in `drops`, `tap` gets the packets."""
    match spec:
        case StreamSpec(address):
            return functools.partial(
                StreamConnection, address, transport, options=options, clock=clock, drops=drops, tap=tap
            )
        case UsbSpec(index):
            return functools.partial(UsbConnection, index, clock=clock)
