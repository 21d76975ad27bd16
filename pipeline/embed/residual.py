"""The embedder that ships with Pinwatch: a small residual network of dense 3x3 convolutions.

Faces are reduced to 64 px first: those of cameras are rarely larger, and at 112 px it would take three times
as long. Convolutions are dense: on processors without wide vector units depthwise ones save multiplications,
not time. Residual units are those of ResNet with batch normalisation (He, Zhang, Ren, Sun, CVPR 2016,
arXiv:1512.03385); the places of a face are weighed per channel before they are summed, as MobileFaceNet's
global depthwise convolution does (Chen, Liu, Gao, Han, 2018, arXiv:1804.07573).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn import functional

from pipeline.types import CROP_SIZE_PX

EMBEDDING_DIM = 256
FACE_PX = 64

# (channels, residual units) of each stage; a stage begins by halving height and width
_STAGES = ((32, 0), (64, 2), (128, 3), (256, 1))
_PLACES = 4
_JUDGE_HIDDEN = 32


def _conv_bn(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs)
    )


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv_bn(channels, channels)
        self.second = _conv_bn(channels, channels)
        nn.init.zeros_(cast(nn.BatchNorm2d, self.second[1]).weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(x + self.second(functional.relu(self.first(x))))


class _Reduction(nn.Module):
    """float32 (N, 3, 112, 112) -> (N, 3, 64, 64): linear interpolation without aliasing, as two products."""

    _weights: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        identity = torch.eye(CROP_SIZE_PX).view(1, 1, CROP_SIZE_PX, CROP_SIZE_PX)
        size = (FACE_PX, CROP_SIZE_PX)
        rows = functional.interpolate(identity, size, mode="bilinear", align_corners=False, antialias=True)
        self.register_buffer("_weights", rows[0, 0], persistent=False)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return torch.matmul(torch.matmul(self._weights, crops), self._weights.T)


class _WeighedSum(nn.Module):
    """float32 (N, C, 4, 4) -> (N, C): a weight for each channel and place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((1, channels, _PLACES, _PLACES), 1.0 / _PLACES**2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * self.weight).sum(dim=(2, 3))


class ResidualFaceNet(nn.Module):
    """float32 (N, 3, 112, 112) RGB 0..255, ArcFace template -> float32 (N, 256), unit norm."""

    def __init__(self) -> None:
        super().__init__()
        self.reduce = _Reduction()
        layers: list[nn.Module] = []
        inputs = 3
        for channels, units in _STAGES:
            layers += [_conv_bn(inputs, channels, stride=2), nn.ReLU()]
            layers += [_Residual(channels) for _ in range(units)]
            inputs = channels
        self.features = nn.Sequential(*layers)
        self.pool = _WeighedSum(inputs)
        self.pooled_norm = nn.BatchNorm1d(inputs)
        self.project = nn.Linear(inputs, EMBEDDING_DIM)
        self.judge = nn.Sequential(
            nn.Linear(inputs, _JUDGE_HIDDEN), nn.ReLU(), nn.Linear(_JUDGE_HIDDEN, 1), nn.Sigmoid()
        )

    def forward(self, crops_rgb: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.project(self.describe(crops_rgb)), dim=1)

    def describe(self, crops_rgb: torch.Tensor) -> torch.Tensor:
        """float32 (N, 256): what embedding and quality are made from."""
        x = (self.reduce(crops_rgb) - 127.5) / 127.5
        return cast(torch.Tensor, self.pooled_norm(self.pool(self.features(x))))

    def embed_and_judge(self, crops_rgb: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Embeddings float32 (N, 256), and quality float32 (N,) in 0..1.

        Quality is what the network expects the cosine between its embedding and that of the face
        without blur, noise or attack to be. Its gradient does not reach the embedding.
        """
        described = self.describe(crops_rgb)
        vectors = functional.normalize(self.project(described), dim=1)
        return vectors, self.judge(described.detach()).squeeze(1)
