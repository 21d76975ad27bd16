"""face-reidentification-retail-0095 of the Open Model Zoo: 128x128 BGR, its own template, 256-d."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from pipeline.embed.ir import IrNetwork
from pipeline.embed.resample import OMZ_128_TEMPLATE, TemplateResampling

EMBEDDING_DIM = 256


class Retail0095(nn.Module):
    """float32 (N, 3, 112, 112) RGB 0..255, ArcFace template -> float32 (N, 256), unit norm.

    Args:
        xml: The network's IR; scaling to 0..1 is inside.
        weights: Its ``.bin`` file.

    Raises:
        ModelFormatError: the files are not such an IR.
    """

    def __init__(self, xml: Path, weights: Path) -> None:
        super().__init__()
        self.resample = TemplateResampling(OMZ_128_TEMPLATE, 128)
        self.network = IrNetwork(xml, weights)

    def forward(self, crops_rgb: torch.Tensor) -> torch.Tensor:
        faces_bgr = self.resample(crops_rgb).flip(1)
        return functional.normalize(self.network(faces_bgr).flatten(1), dim=1)
