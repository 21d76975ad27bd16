"""The time in the pixels of a picture, in black and white squares that scaling and JPEG do not harm."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.types import ByteArray

_COLUMNS, _ROWS, _SHARE = 16, 4, 0.2


def burn(image_bgr: ByteArray, time_ns: int) -> None:
    """Write 64 bits into the top of the picture, in place."""
    height_px, width_px = image_bgr.shape[:2]
    for number in range(_COLUMNS * _ROWS):
        row, column = divmod(number, _COLUMNS)
        down = [round(height_px * _SHARE * at / _ROWS) for at in (row, row + 1)]
        across = [round(width_px * at / _COLUMNS) for at in (column, column + 1)]
        image_bgr[down[0] : down[1], across[0] : across[1]] = 255 * (time_ns >> number & 1)


def read_back(jpeg: bytes) -> int:
    """The time that was written, nanoseconds."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValueError("this is no picture")
    height_px, width_px = image.shape[:2]
    time_ns = 0
    for number in range(_COLUMNS * _ROWS):
        row, column = divmod(number, _COLUMNS)
        y = int(height_px * _SHARE * (row + 0.5) / _ROWS)
        x = int(width_px * (column + 0.5) / _COLUMNS)
        time_ns |= int(image[y, x] > 127) << number
    return time_ns
