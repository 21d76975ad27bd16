"""Footage that numbers itself: each frame shows its number as a row of bright and dark blocks."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from pipeline.types import ByteArray

_BITS = 10
_BRIGHT, _DARK = 230, 25
_BLOCKS = 2 * _BITS  # each bit and its opposite, so that a mixture of two frames is noticed


def numbered_picture(number: int, width: int, height: int) -> ByteArray:
    """uint8 (height, width, 3), BGR: the blocks along the top, a moving grey pattern below."""
    image = np.empty((height, width, 3), np.uint8)
    shade = (np.arange(width) * 200 // width + 3 * number) % 200 + 20
    image[:] = shade[None, :, None]
    edges = np.linspace(0, width, _BLOCKS + 1).round().astype(int)
    for bit in range(_BITS):
        on = number >> bit & 1
        for block, bright in ((2 * bit, on), (2 * bit + 1, not on)):
            image[: height // 4, edges[block] : edges[block + 1]] = _BRIGHT if bright else _DARK
    return image


def read_number(image: ByteArray) -> int:
    """The number that a picture made by :func:`numbered_picture` shows, at any size.

    Raises:
        ValueError: the blocks contradict each other.
    """
    height, width = image.shape[:2]
    edges = np.linspace(0, width, _BLOCKS + 1)
    number = 0
    for bit in range(_BITS):
        on, off = (_brightness(image, edges, height, block) > 128 for block in (2 * bit, 2 * bit + 1))
        if on == off:
            raise ValueError(f"bit {bit} cannot be read")
        number |= on << bit
    return number


def _brightness(image: ByteArray, edges: npt.NDArray[np.float64], height: int, block: int) -> float:
    left, right = edges[block], edges[block + 1]
    quarter = (right - left) / 4
    return float(image[height // 16 : height // 6, int(left + quarter) : int(right - quarter) + 1].mean())


def write_numbered_video(
    path: Path, count: int, size: tuple[int, int] = (640, 360), rate_hz: int = 25, gop: int = 12
) -> Path:
    """`count` numbered frames as H.264."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate_hz, options={"g": str(gop), "preset": "ultrafast"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(numbered_picture(number, *size), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, rate_hz)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
