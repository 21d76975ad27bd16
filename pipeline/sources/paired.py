"""One camera through two of its streams: detect on the small one, cut faces from the large one."""

from __future__ import annotations

import threading

import structlog

from pipeline.seams import Clock
from pipeline.sources.capture import Capture
from pipeline.sources.channel import DropCounter
from pipeline.sources.connection import Connect, Shot, StreamInfo
from pipeline.sources.live import LiveBase, NextEpoch
from pipeline.sources.options import LiveOptions
from pipeline.sources.pairing import Pair, Pairer
from pipeline.sources.tap import PacketTap
from pipeline.types import Frame

log = structlog.get_logger(__name__)


class PairedSource(LiveBase[Pair]):
    """A camera's main stream with its substream: ``image_bgr`` of the one, ``detection_bgr`` of the other.

    The main stream is the camera: epochs and times are its own. The substream sets the pace. Each
    has its own connection and reconnects by itself; while the substream is away, frames come
    without ``detection_bgr``, so that detection runs on the main picture, and the log says so.

    Args:
        camera_id: Whose frames these are.
        connect_main: Opens the main stream.
        connect_sub: Opens the substream.
        next_epoch: Gives the epochs, one a connection of the main stream.
        options: Timeouts, waits, buffers and the pairing's tolerance.
        clock: Measures how long connections last.
        drops: Shared with the main connection, which counts broken frames there.
        rate_limit_hz: Take at most this many pairs a second; ``None`` takes all.
        clock_offset_s: Added to the capture times: minus the known delay of this camera.
        tap: The main connection's; told what the frames are called.
    """

    def __init__(
        self,
        camera_id: str,
        connect_main: Connect,
        connect_sub: Connect,
        next_epoch: NextEpoch,
        *,
        options: LiveOptions,
        clock: Clock,
        drops: DropCounter | None = None,
        rate_limit_hz: float | None = None,
        clock_offset_s: float = 0.0,
        tap: PacketTap | None = None,
    ) -> None:
        super().__init__(
            camera_id,
            next_epoch,
            options=options,
            drops=drops or DropCounter(),
            rate_limit_hz=rate_limit_hz,
            clock_offset_s=clock_offset_s,
            tap=tap,
        )
        self._pairer = Pairer(options.pair_tolerance_s, options.pair_fallback_s, self._drops)
        self._lock = threading.Lock()
        self._epoch = 0
        self._sub_sessions = 0
        self._was_alone = False
        self._main = Capture(
            camera_id,
            connect_main,
            begin=self._begin_main,
            deliver=self._deliver_main,
            lost=lambda: None,
            ended=self._channel.finish,
            options=options,
            clock=clock,
        )
        self._sub = Capture(
            f"{camera_id} (substream)",
            connect_sub,
            begin=self._begin_sub,
            deliver=self._deliver_sub,
            lost=self._lose_sub,
            ended=self._end_sub,
            options=options,
            clock=clock,
            patient=True,
        )

    def _captures(self) -> list[Capture]:
        return [self._main, self._sub]

    def _begin_main(self, _info: StreamInfo) -> int:
        with self._lock:
            self._epoch = self._begin_epoch()
            self._pairer.restart()
            return self._epoch

    def _begin_sub(self, info: StreamInfo) -> int:
        self._nominal_hz = info.rate_hz
        self._sub_sessions += 1
        return self._sub_sessions

    def _deliver_main(self, epoch: int, shot: Shot) -> None:
        self._name(epoch, shot)
        with self._lock:
            self._send(self._pairer.add_main(shot))
            self._say_fallback()

    def _deliver_sub(self, _session: int, shot: Shot) -> None:
        with self._lock:
            self._send(self._pairer.add_sub(shot))
            self._say_fallback()

    def _lose_sub(self) -> None:
        with self._lock:
            self._pairer.sub_lost()
            self._say_fallback()

    def _end_sub(self, error: BaseException | None) -> None:
        if error is not None:  # a fault of this program, not of the camera: that never ends the substream
            self._channel.finish(error)

    def _send(self, pairs: list[Pair]) -> None:
        for pair in pairs:
            self._offer(self._epoch, pair.main.pts_ns, pair)

    def _say_fallback(self) -> None:
        alone = self._pairer.alone
        if alone != self._was_alone:
            self._was_alone = alone
            log.warning(
                "detecting on the main stream: the substream is away, or its times do not fit"
                if alone
                else "detecting on the substream again",
                camera=self._camera_id,
            )

    def _frame(self, epoch: int, item: Pair) -> Frame:
        return Frame(
            self._camera_id,
            epoch,
            item.main.pts_ns,
            item.main.captured_at_ns + self._offset_ns,
            item.main.picture.to_bgr(),
            detection_bgr=None if item.sub is None else item.sub.picture.to_bgr(),
        )
