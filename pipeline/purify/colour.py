"""Full-range BT.601 luma and colour differences: an invertible linear map, so gradients are exact.

A face's shape is in its luma; its colour differences are smooth. PIN therefore keeps many components
of the former and few of the latter, which leaves an attacker the least room for the same accuracy.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

_YCC_FROM_RGB = (
    (0.299, 0.587, 0.114),
    (-0.168735892, -0.331264108, 0.5),
    (0.5, -0.418687589, -0.081312411),
)


class LumaChroma(nn.Module):
    """RGB to (Y, Cb, Cr) planes, colour differences centred on 0, and back."""

    _forward: torch.Tensor
    _inverse: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        matrix = torch.tensor(_YCC_FROM_RGB, dtype=torch.float64)
        inverse = torch.linalg.inv(matrix)
        self.register_buffer("_forward", matrix.float().view(3, 3, 1, 1), persistent=False)
        self.register_buffer("_inverse", inverse.float().view(3, 3, 1, 1), persistent=False)

    def planes(self, crops_rgb: torch.Tensor) -> torch.Tensor:
        """float32 (N, 3, H, W) RGB 0..255 -> Y 0..255, Cb and Cr -127.5..127.5."""
        return functional.conv2d(crops_rgb, self._forward)

    def rgb(self, planes: torch.Tensor) -> torch.Tensor:
        """The inverse of :meth:`planes`."""
        return functional.conv2d(planes, self._inverse)
