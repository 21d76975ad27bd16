"""A source whose private areas are black before anybody sees its frames."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.region import PrivacyMask
from pipeline.seams import FrameSource
from pipeline.sources.wrapper import SourceWrapper
from pipeline.types import Frame


class MaskedSource(SourceWrapper):
    """`source` with `mask` applied to the pictures of every frame, in place."""

    def __init__(self, source: FrameSource, mask: PrivacyMask) -> None:
        super().__init__(source)
        self._mask = mask

    def frames(self) -> Iterator[Frame]:
        """As the source's, masked; raises what it raises."""
        for frame in self._source.frames():
            self._mask.apply(frame.image_bgr)
            if frame.detection_bgr is not None:
                self._mask.apply(frame.detection_bgr)
            yield frame
