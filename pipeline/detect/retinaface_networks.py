"""The networks of RetinaFace (Deng et al., CVPR 2020), from the package retinaface-pytorch.

``ResNet50`` is the package's own. ``MobileNet0.25`` puts the quarter-width MobileNet of the checkpoint
published with *Face-Detector-1MB-with-landmark* under the same pyramid, context modules and heads.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import torch
from retinaface.net import FPN, SSH, conv_bn, conv_dw
from retinaface.network import BboxHead, ClassHead, LandmarkHead, RetinaFace
from torch import nn

_ANCHORS = 2  # boxes a cell, of two sizes


class _MobileNetQuarter(nn.Module):
    """float32 (N, 3, H, W) -> features of strides 8, 16, 32 with 64, 128, 256 channels."""

    def __init__(self) -> None:
        super().__init__()
        first = conv_bn(3, 8, 2)
        widths = ((8, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1))
        self.stage1 = nn.Sequential(first, *(conv_dw(*width) for width in widths))
        self.stage2 = nn.Sequential(conv_dw(64, 128, 2), *(conv_dw(128, 128, 1) for _ in range(5)))
        self.stage3 = nn.Sequential(conv_dw(128, 256, 2), conv_dw(256, 256, 1))

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        fine = self.stage1(images)
        middle = self.stage2(fine)
        return {"fine": fine, "middle": middle, "coarse": self.stage3(middle)}


class _MobileRetinaFace(nn.Module):
    """The same outputs as the package's ``RetinaFace``: box offsets, class logits, landmark offsets."""

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        self.body = _MobileNetQuarter()
        self.fpn = FPN([64, 128, 256], channels)
        self.ssh1, self.ssh2, self.ssh3 = (SSH(channels, channels) for _ in range(3))
        self.ClassHead = nn.ModuleList(ClassHead(channels, _ANCHORS) for _ in range(3))
        self.BboxHead = nn.ModuleList(BboxHead(channels, _ANCHORS) for _ in range(3))
        self.LandmarkHead = nn.ModuleList(LandmarkHead(channels, _ANCHORS) for _ in range(3))
        _rectify(self)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        pyramid = self.fpn(self.body(images))
        features = [ssh(x) for ssh, x in zip((self.ssh1, self.ssh2, self.ssh3), pyramid, strict=True)]
        boxes, classes, landmarks = (
            torch.cat([head(x) for head, x in zip(heads, features, strict=True)], dim=1)
            for heads in (self.BboxHead, self.ClassHead, self.LandmarkHead)
        )
        return boxes, classes, landmarks


def _rectify(network: nn.Module) -> None:
    """Make every activation a plain ReLU, which is what this checkpoint was trained with.

    The package's narrow modules leak by 0.1. With that the checkpoint still loads and scores look
    right, but boxes of LFW faces overlap YuNet's by .68 instead of .92, and landmarks are off by 16 %
    of the box instead of 4.
    """
    for module in network.modules():
        if isinstance(module, nn.LeakyReLU):
            module.negative_slope = 0.0


def _resnet50() -> nn.Module:
    with warnings.catch_warnings():
        # The package names torchvision's older argument; no weights are fetched either way.
        warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")
        network: nn.Module = RetinaFace(
            name="Resnet50",
            pretrained=False,
            return_layers={"layer2": 1, "layer3": 2, "layer4": 3},
            in_channels=256,
            out_channels=256,
        )
    return network


class ScoredRetinaFace(nn.Module):
    """A RetinaFace with the softmax inside: float32 (N, 3, H, W) -> boxes (N, P, 4), scores (N, P),
    landmarks (N, P, 10), the offsets still to be decoded with the P priors."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        boxes, classes, landmarks = self.network(images)
        return boxes, torch.softmax(classes, dim=-1)[..., 1], landmarks


ARCHITECTURES: Mapping[str, Callable[[], nn.Module]] = {
    "retinaface_resnet50": _resnet50,
    "retinaface_mobilenet0.25": _MobileRetinaFace,
}
"""By the `architecture` of a model card."""
