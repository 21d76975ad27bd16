"""Writes H.264 video files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
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

_TICKS_PER_S = 90_000


class VideoFile:
    """Writes pictures to an H.264 file that browsers play (yuv420p, the index at the front).

    Frames keep their own times, so a variable frame rate stays variable. The file appears under its
    name when it was closed well; until then it is NAME.part, and a file that was there before stays.
    As a context manager it keeps what was written on Ctrl-C and throws it away on any other error.

    Args:
        path: The file to write, MP4; missing folders are made.
        width: Of the pictures, pixels; an odd side gains one column or row, as the format wants.
        height: Likewise.

    Raises:
        StorageError: the file cannot be made.
    """

    def __init__(self, path: Path, width: int, height: int) -> None:
        if width < 1 or height < 1:
            raise ValueError(f"a video needs at least one pixel, got {width}x{height}")
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._size = (width, height)
        self._last_pts = -1
        self._open = False
        with self._storage_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(self._part, "w", format="mp4", options={"movflags": "+faststart"})
            self._open = True
            self._stream = _add_h264_stream(self._container, width + width % 2, height + height % 2)

    def write(self, image_bgr: ByteArray, pts_ns: int) -> None:
        """Add one picture.

        Args:
            image_bgr: uint8 (H, W, 3); another size than the video's is scaled to it.
            pts_ns: When it is shown, nanoseconds from the start; must grow from call to call by at
                least the 1/90000 s that the file resolves.

        Raises:
            StorageError: writing failed, e.g. the disk is full; the unfinished file is removed.
        """
        check_array("image_bgr", image_bgr, np.uint8, (None, None, 3))
        pts = pts_ns * _TICKS_PER_S // 1_000_000_000
        if pts <= self._last_pts:
            raise ValueError(f"pts_ns must grow from frame to frame, got {pts_ns} again or less")
        frame = av.VideoFrame.from_ndarray(self._fitted(image_bgr), format="bgr24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709")
        frame.pts, frame.time_base = pts, Fraction(1, _TICKS_PER_S)
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
        if right or bottom:
            fitted = cv2.copyMakeBorder(fitted, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        return fitted


def _add_h264_stream(container: OutputContainer, width: int, height: int) -> VideoStream:
    stream = container.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "22"})
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
    context = stream.codec_context
    context.colorspace, context.color_primaries, context.color_trc = 1, 1, 1  # BT.709
    context.color_range = 1  # 16..235, which players expect
    return stream
