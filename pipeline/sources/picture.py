"""From a decoder's frame to a picture as everybody else takes it: BGR, upright, contiguous."""

from __future__ import annotations

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from pipeline.types import ByteArray


class BgrConverter:
    """Converts frames of one stream; keeps swscale's tables between them. Not for several threads.

    swscale takes colour matrix and range from the frame (BT.601 where the stream does not say, as
    FFmpeg and OpenCV do). The rotation that phones write beside the picture is applied, in quarter turns.

    One thread of swscale only: it is the cheapest per frame, and with several, pictures of a few
    dozen rows came out with other pixels now and then.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> ByteArray:
        """uint8 (H, W, 3), BGR, C-contiguous, writable."""
        converted = self._reformatter.reformat(frame, format="bgr24", threads=1)
        image: ByteArray = np.asarray(converted.to_ndarray(), np.uint8)
        quarter_turns = round(frame.rotation / 90) % 4
        if quarter_turns:
            image = np.rot90(image, quarter_turns)
        image = np.ascontiguousarray(image)
        # A stream of BGR frames is not converted at all: then these are the decoder's own pixels.
        return image.copy() if converted is frame else image


class ArrayPicture:
    """A picture that came as an array already."""

    def __init__(self, image_bgr: ByteArray) -> None:
        self._image_bgr = image_bgr

    def to_bgr(self) -> ByteArray:
        """The array itself."""
        return self._image_bgr


class DecodedPicture:
    """A decoder's frame with the converter of its stream."""

    def __init__(self, frame: VideoFrame, convert: BgrConverter) -> None:
        self._frame = frame
        self._convert = convert

    def to_bgr(self) -> ByteArray:
        """Convert now."""
        return self._convert(self._frame)
