"""The alignment of :mod:`pipeline.align`, differentiable: what an attacker needs who changes the picture.

Whoever stands before a camera, or edits its footage, changes pixels of the frame; the recogniser sees
the crop that is cut out of it. Alignment is linear in the pixels once the landmarks are known, so
that gradients of a crop reach the frame exactly. Rounding to 8 bit, which `align` does once or twice,
is left out: it moves a value by half a grey level at most, and has no gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from pipeline.align import DoubleArray, compose, place, reduction
from pipeline.types import CROP_SIZE_PX


@dataclass(frozen=True, slots=True, eq=False)
class FaceWarp:
    """Cuts one face out of frames of one size; made by :meth:`of`.

    Attributes:
        window: x0, y0, x1, y1 of the part of the frame that the crop depends on, pixels.
        rows: float32 (h, y1 - y0): area averaging along the columns of pixels; ``None`` where the face
            is not reduced. `columns` likewise, (w, x1 - x0).
        grid: float32 (1, 112, 112, 2): where each pixel of the crop lies in the (reduced) window, as
            ``torch.nn.functional.grid_sample`` counts, -1..1 from centre to centre.
    """

    window: tuple[int, int, int, int]
    rows: torch.Tensor | None
    columns: torch.Tensor | None
    grid: torch.Tensor

    @classmethod
    def of(cls, landmarks: npt.ArrayLike, height: int, width: int) -> Self:
        """The cut that `align` makes for these landmarks.

        Args:
            landmarks: (5, 2), pixels of the frame, in the order of ``Face.landmarks``.
            height: Of the frames, pixels; `width` likewise.

        Raises:
            ValueError: the landmarks are degenerate, or the face lies outside the frame.
        """
        matrix, window, step = place(landmarks, height, width)
        x0, y0, x1, y1 = window
        if x1 <= x0 or y1 <= y0:
            raise ValueError("the face lies outside the frame")
        size = (x1 - x0, y1 - y0)
        if step <= 1.0:
            return cls(window, None, None, _grid(matrix, size))
        small, back = reduction(*size, step)
        matrix = compose(matrix, back)
        return cls(window, _averages(size[1], small[1]), _averages(size[0], small[0]), _grid(matrix, small))

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        """float32 (N, C, H, W) in 0..255 -> (N, C, 112, 112), not rounded; the order of the colours stays."""
        x0, y0, x1, y1 = self.window
        part = frames[:, :, y0:y1, x0:x1]
        if self.rows is not None and self.columns is not None:
            part = self.rows @ part @ self.columns.T
        grid = self.grid.expand(len(frames), -1, -1, -1)
        return functional.grid_sample(part, grid, mode="bilinear", padding_mode="zeros", align_corners=True)


def _grid(matrix: DoubleArray, size: tuple[int, int]) -> torch.Tensor:
    """Where a crop samples a picture of `size` (width, height), given the map (2, 3) from it to the crop."""
    ys, xs = np.mgrid[0:CROP_SIZE_PX, 0:CROP_SIZE_PX].astype(np.float64)
    offsets = np.stack([xs, ys], axis=-1) - matrix[:, 2]
    points = np.linalg.solve(matrix[:, :2], offsets.reshape(-1, 2).T).T
    # A picture one pixel wide has no distance between centres: any scale serves.
    scaled = 2.0 * points / np.maximum(np.array(size) - 1, 1) - 1.0
    return torch.from_numpy(scaled.reshape(1, CROP_SIZE_PX, CROP_SIZE_PX, 2).astype(np.float32))


def _averages(length: int, small: int) -> torch.Tensor:
    """float32 (small, length): row n is the share of each pixel in the n-th of `small` equal parts."""
    edges = np.linspace(0.0, length, small + 1)
    pixels = np.arange(length)
    low = np.maximum(edges[:-1, None], pixels[None])
    high = np.minimum(edges[1:, None], pixels[None] + 1)
    shares = np.clip(high - low, 0.0, None) * (small / length)
    return torch.from_numpy(shares.astype(np.float32))
