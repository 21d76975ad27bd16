"""Writes video files: H.264 to look at, FFV1 where every bit counts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer
from av.video.stream import VideoStream

from pipeline.errors import StorageError
from pipeline.types import ByteArray, check_array

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Encoding:
    """How pictures become a file.

    Attributes:
        container: FFmpeg's name of the file format; `container_options` are those of its writer.
        codec: FFmpeg's name of the encoder; `codec_options` are its own.
        pixel_format: In which pictures are stored.
        ticks_per_s: What times are counted in.
        even_sides: Whether the format wants even sides.
    """

    container: str
    codec: str
    pixel_format: str
    ticks_per_s: int
    even_sides: bool
    container_options: Mapping[str, str] = field(default_factory=dict)
    codec_options: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_yuv(self) -> bool:
        return self.pixel_format.startswith("yuv")


H264 = Encoding(
    "mp4", "libx264", "yuv420p", 90_000, True, {"movflags": "+faststart"}, {"preset": "veryfast", "crf": "22"}
)
"""What browsers play, with the index at the front; small, and lossy."""

FFV1 = Encoding("matroska", "ffv1", "bgr0", 1_000, False, {}, {"level": "3", "slicecrc": "1"})
"""RFC 9043 in Matroska: each pixel as it was given, a file to match, and times in milliseconds."""


class VideoFile:
    """Writes pictures to a file.

    Frames keep their own times, so a variable frame rate stays variable. The file appears under its
    name when it was closed well; until then it is NAME.part, and a file that was there before stays.
    As a context manager it keeps what was written on Ctrl-C and throws it away on any other error.

    Args:
        path: The file to write; missing folders are made.
        width: Of the pictures, pixels; an odd side gains one column or row where the format wants that.
        height: Likewise.
        encoding: `H264` in a file that browsers play, or `FFV1`, which loses nothing.

    Raises:
        StorageError: the file cannot be made.
    """

    def __init__(self, path: Path, width: int, height: int, encoding: Encoding = H264) -> None:
        if width < 1 or height < 1:
            raise ValueError(f"a video needs at least one pixel, got {width}x{height}")
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._size = (width, height)
        self._encoding = encoding
        self._last_pts = -1
        self._open = False
        with self._storage_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            options = dict(encoding.container_options)
            self._container = av.open(self._part, "w", format=encoding.container, options=options)
            self._open = True
            self._stream = _add_stream(self._container, encoding, width, height)

    def write(self, image_bgr: ByteArray, pts_ns: int) -> None:
        """Add one picture.

        Args:
            image_bgr: uint8 (H, W, 3); another size than the video's is scaled to it.
            pts_ns: When it is shown, nanoseconds from the start; must grow from call to call by at
                least what the file resolves (`Encoding.ticks_per_s`).

        Raises:
            StorageError: writing failed, e.g. the disk is full; the unfinished file is removed.
        """
        check_array("image_bgr", image_bgr, np.uint8, (None, None, 3))
        ticks_per_s = self._encoding.ticks_per_s
        pts = pts_ns * ticks_per_s // _NS
        if pts <= self._last_pts:
            raise ValueError(f"pts_ns must grow from frame to frame, got {pts_ns} again or less")
        frame = av.VideoFrame.from_ndarray(self._fitted(image_bgr), format="bgr24")
        if self._encoding.is_yuv:
            frame = frame.reformat(format=self._encoding.pixel_format, dst_colorspace="ITU709")
        else:
            frame = frame.reformat(format=self._encoding.pixel_format)
        frame.pts, frame.time_base = pts, Fraction(1, ticks_per_s)
        with self._storage_errors():
            self._container.mux(self._stream.encode(frame))
        self._last_pts = pts

    def close(self) -> None:
        """Finish the file and put it in its place; without a single picture there is no file. Twice is fine.

        Raises:
            StorageError: writing failed; the unfinished file is removed.
        """
        if not self._open:
            return
        if self._last_pts < 0:
            self.discard()
            return
        with self._storage_errors():
            self._container.mux(self._stream.encode(None))
            self._container.close()
            self._part.replace(self._path)
        self._open = False

    def discard(self) -> None:
        """Give the video up and remove the unfinished file; what stood under its name before stays."""
        if self._open:
            self._open = False
            with contextlib.suppress(OSError, av.FFmpegError):  # the file is thrown away anyway
                self._container.close()
            self._part.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            self.discard()
        else:
            self.close()

    @contextlib.contextmanager
    def _storage_errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, av.FFmpegError) as error:
            self.discard()
            way_out = "check the free space and the folder's permissions"
            raise StorageError(f"cannot write the video {self._path}: {error}; {way_out}") from error

    def _fitted(self, image_bgr: ByteArray) -> ByteArray:
        fitted: npt.NDArray[Any] = image_bgr
        if image_bgr.shape[1::-1] != self._size:
            fitted = cv2.resize(image_bgr, self._size, interpolation=cv2.INTER_AREA)
        right, bottom = (side % 2 for side in self._size)
        if self._encoding.even_sides and (right or bottom):
            fitted = cv2.copyMakeBorder(fitted, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        return fitted


def _add_stream(container: OutputContainer, encoding: Encoding, width: int, height: int) -> VideoStream:
    stream = container.add_stream(encoding.codec, rate=25, options=dict(encoding.codec_options))
    if not isinstance(stream, VideoStream):
        raise TypeError(f"{encoding.codec} does not encode video")
    if encoding.even_sides:
        width, height = width + width % 2, height + height % 2
    stream.width, stream.height, stream.pix_fmt = width, height, encoding.pixel_format
    stream.time_base = stream.codec_context.time_base = Fraction(1, encoding.ticks_per_s)
    if encoding.is_yuv:
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc = 1, 1, 1  # BT.709
        context.color_range = 1  # 16..235, which players expect
    return stream
