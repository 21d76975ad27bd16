"""MobileFaceNet (Chen, Liu, Gao, Han, 2018, arXiv:1804.07573), with ReLU6 in place of the paper's PReLU.

The parameter names are those of the published weights, so that a strict ``load_state_dict`` loads
them: in ``features.N.conv``, 0 expands, 1 is the depthwise convolution, 2 and 3 the linear projection.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn import functional

EMBEDDING_DIM = 128

# (expansion, channels, repeats, first stride): table 1 of the paper
_BOTTLENECKS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
_STEM = 64
_TOP = 512

# ImageNet statistics, RGB, in 0..255
_MEAN_RGB = (123.675, 116.28, 103.53)
_STD_RGB = (58.395, 57.12, 57.375)


def _conv_bn_relu6(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(),
    )


class _DepthwiseSeparable(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.bn1(self.depthwise(x)))
        return functional.relu(self.bn2(self.pointwise(x)))


class _GlobalDepthwise(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.bn(self.depthwise(x)))


class _Bottleneck(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            _conv_bn_relu6(inputs, hidden, 1),
            _conv_bn_relu6(hidden, hidden, 3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = cast(torch.Tensor, self.conv(x))
        return x + y if self.residual else y


class MobileFaceNet(nn.Module):
    """float32 (N, 3, 112, 112) RGB 0..255, ArcFace template -> float32 (N, 128), unit norm."""

    _mean: torch.Tensor
    _std: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("_mean", torch.tensor(_MEAN_RGB).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("_std", torch.tensor(_STD_RGB).view(1, 3, 1, 1), persistent=False)
        self.conv1 = _conv_bn_relu6(3, _STEM, 3, stride=2)
        self.dw_conv = _DepthwiseSeparable(_STEM)
        self.features = nn.Sequential(*_bottlenecks())
        self.conv2 = _conv_bn_relu6(128, _TOP, 1)
        self.gdconv = _GlobalDepthwise(_TOP)
        self.conv3 = nn.Conv2d(_TOP, EMBEDDING_DIM, 1)
        self.bn = nn.BatchNorm2d(EMBEDDING_DIM)

    def forward(self, crops_rgb: torch.Tensor) -> torch.Tensor:
        x = (crops_rgb - self._mean) / self._std
        x = self.features(self.dw_conv(self.conv1(x)))
        x = self.bn(self.conv3(self.gdconv(self.conv2(x))))
        return functional.normalize(x.flatten(1), dim=1)


def _bottlenecks() -> list[nn.Module]:
    blocks: list[nn.Module] = []
    inputs = _STEM
    for expansion, outputs, repeats, first_stride in _BOTTLENECKS:
        for n in range(repeats):
            blocks.append(_Bottleneck(inputs, outputs, first_stride if n == 0 else 1, expansion))
            inputs = outputs
    return blocks
