"""The embedder that ships with Pinwatch: a small residual network of dense 3x3 convolutions.

A MobileFaceNet has half the multiplications, but on processors without wide vector units its depthwise
convolutions take as long as these dense ones, forwards and more so backwards. Residual units are those
of ResNet with batch normalisation (He, Zhang, Ren, Sun, CVPR 2016, arXiv:1512.03385); the places of a face
are weighed per channel before they are summed, as MobileFaceNet's global depthwise convolution does (Chen,
Liu, Gao, Han, 2018, arXiv:1804.07573).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn import functional

EMBEDDING_DIM = 256

# (channels, residual units) of each stage; a stage begins by halving height and width
_STAGES = ((32, 0), (64, 2), (128, 3), (256, 1))
_PLACES = 7
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


class _WeighedSum(nn.Module):
    """float32 (N, C, H, W) -> (N, C): a weight for each channel and place of a 7x7 face."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((1, channels, _PLACES, _PLACES), 1.0 / _PLACES**2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight: torch.Tensor = self.weight
        # What is traced runs on faces of 112 px only; a choice by shape cannot be traced.
        if not torch.jit.is_tracing() and x.shape[2:] != (_PLACES, _PLACES):  # type: ignore[attr-defined,no-untyped-call]
            # Smaller faces, as training begins with: the same weights, of fewer and larger places.
            height, width = x.shape[2:]
            weight = functional.interpolate(weight, (height, width), mode="bilinear", align_corners=False)
            weight = weight * (_PLACES**2 / (height * width))
        return (x * weight).sum(dim=(2, 3))


class ResidualFaceNet(nn.Module):
    """float32 (N, 3, 112, 112) RGB 0..255, ArcFace template -> float32 (N, 256), unit norm.

    Trained on smaller faces of the same framing first, it takes any height and width of 32 or more.
    """

    def __init__(self) -> None:
        super().__init__()
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
        x = (crops_rgb - 127.5) / 127.5
        return cast(torch.Tensor, self.pooled_norm(self.pool(self.features(x))))

    def embed_and_judge(self, crops_rgb: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Embeddings float32 (N, 256), and quality float32 (N,) in 0..1.

        Quality is what the network expects the cosine between its embedding and that of the face
        without blur, noise or attack to be. Its gradient does not reach the embedding.
        """
        described = self.describe(crops_rgb)
        vectors = functional.normalize(self.project(described), dim=1)
        return vectors, self.judge(described.detach()).squeeze(1)
