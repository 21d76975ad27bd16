"""Sources whose footage somebody keeps: what was not kept is counted with what they dropped themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import structlog

from pipeline.seams import FrameSource
from pipeline.sources.tap import PictureTap, Tap
from pipeline.sources.wrapper import SourceWrapper
from pipeline.types import Frame

log = structlog.get_logger(__name__)

CAUSE = "recording:"
"""Before the causes of a tap."""


class PacketsTapped(SourceWrapper):
    """`source`, whose packets `tap` gets already; closes the tap when the frames have ended.

    Args:
        source: Shows its packets to `tap`.
        tap: Owned from here on.
    """

    def __init__(self, source: FrameSource, tap: Tap) -> None:
        super().__init__(source)
        self._tap = tap

    @property
    def dropped_by_cause(self) -> dict[str, int]:
        return _joined(self._source, self._tap)

    def frames(self) -> Iterator[Frame]:
        """As the source's; raises what it raises."""
        try:
            yield from self._source.frames()
        finally:
            _end(self.camera_id, self._tap)


class PicturesTapped(SourceWrapper):
    """`source`, whose frames a tap gets as they are taken.

    Args:
        source: What the tap gets, its consumer gets too.
        begin: Makes the tap when the first frame has come, when the source knows its rate.
    """

    def __init__(self, source: FrameSource, begin: Callable[[], PictureTap]) -> None:
        super().__init__(source)
        self._begin = begin
        self._tap: PictureTap | None = None

    @property
    def dropped_by_cause(self) -> dict[str, int]:
        return _joined(self._source, self._tap)

    def frames(self) -> Iterator[Frame]:
        """As the source's; raises what it raises."""
        tap: PictureTap | None = None
        try:
            for frame in self._source.frames():
                if tap is None:
                    tap = self._tap = self._begin()
                # The pixels are the consumer's, who may change them while the tap still looks at them.
                tap.write(replace(frame, image_bgr=frame.image_bgr.copy(), detection_bgr=None))
                yield frame
        finally:
            if tap is not None:
                _end(self.camera_id, tap)


def _end(camera_id: str, tap: Tap) -> None:
    tap.close()
    log.info("recorded", camera=camera_id, dropped=tap.dropped_by_cause)


def _joined(source: FrameSource, tap: Tap | None) -> dict[str, int]:
    lost = {} if tap is None else tap.dropped_by_cause
    return {**source.dropped_by_cause, **{CAUSE + cause: count for cause, count in lost.items()}}
