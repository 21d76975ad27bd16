"""From our crop to the geometry of an embedder that was trained with another five-point template.

Both templates are upright faces, so that the best similarity between them needs no rotation (tried:
0.1 degrees). What remains is one scale and one shift per axis, and resampling along an axis is a
product with a fixed matrix: exact gradients, no gather, the same in every runtime.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from pipeline.align import ARCFACE_TEMPLATE
from pipeline.types import CROP_SIZE_PX

Matrix = npt.NDArray[np.float64]

# The points of our template for face-reidentification-retail-0095, as a share of its side (Open Model Zoo).
OMZ_128_TEMPLATE: Matrix = 128.0 * np.array(
    [
        [0.31556875, 0.46157411],
        [0.68262292, 0.46157411],
        [0.50026250, 0.64050536],
        [0.34947188, 0.82469196],
        [0.65343646, 0.82469196],
    ]
)
OMZ_128_TEMPLATE.setflags(write=False)


@dataclass(frozen=True, slots=True)
class AxisMap:
    """``target = scale * source + (shift_x, shift_y)``, px, pixel centres at whole numbers."""

    scale: float
    shift_x: float
    shift_y: float


def fit_axis_map(source: Matrix, target: Matrix) -> AxisMap:
    """Least squares over scale and shift, without rotation (Umeyama 1991 with R = I)."""
    mean_source, mean_target = source.mean(axis=0), target.mean(axis=0)
    offsets = source - mean_source
    scale = float(np.sum(offsets * (target - mean_target)) / np.sum(offsets**2))
    shift = mean_target - scale * mean_source
    return AxisMap(scale, float(shift[0]), float(shift[1]))


def interpolation_matrix(scale: float, shift: float, inputs: int, outputs: int) -> Matrix:
    """Rows of linear-interpolation weights: ``output = matrix @ input`` along one axis.

    Positions outside the input take its border pixel. (Cubic weights were tried: the same accuracy.)
    """
    position = np.clip((np.arange(outputs) - shift) / scale, 0, inputs - 1)
    left = np.minimum(np.floor(position).astype(int), inputs - 2)
    share = position - left
    matrix = np.zeros((outputs, inputs))
    matrix[np.arange(outputs), left] = 1.0 - share
    matrix[np.arange(outputs), left + 1] = share
    return matrix


class TemplateResampling(nn.Module):
    """float32 (N, 3, 112, 112) of our template -> float32 (N, 3, side, side) of another.

    Args:
        target: float64 (5, 2), the other template's points, px.
        side_px: The other geometry's width and height.
    """

    _rows: torch.Tensor
    _columns_t: torch.Tensor

    def __init__(self, target: Matrix, side_px: int) -> None:
        super().__init__()
        fit = fit_axis_map(ARCFACE_TEMPLATE, target)
        rows = interpolation_matrix(fit.scale, fit.shift_y, CROP_SIZE_PX, side_px)
        columns = interpolation_matrix(fit.scale, fit.shift_x, CROP_SIZE_PX, side_px)
        self.register_buffer("_rows", torch.from_numpy(rows.astype(np.float32)))
        self.register_buffer("_columns_t", torch.from_numpy(columns.T.astype(np.float32)))

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return torch.matmul(torch.matmul(self._rows, crops), self._columns_t)
