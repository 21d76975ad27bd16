"""The detector that ships with Pinwatch: one face a cell, at three strides, five landmarks.

After YuNet (Wu, Peng, Yu, Machine Intelligence Research 20, 2023), whose size it has: a stem of dense
convolutions, stages of depthwise ones, features of coarse strides added to those of finer ones. One score
in place of YuNet's product of two: the overlap that the box is expected to have with the face (Li et al.,
Generalized Focal Loss, NeurIPS 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from pipeline.detect.batching import detect_batched
from pipeline.detect.candidates import Candidates
from pipeline.detect.cells import STRIDES_PX, decode_cells
from pipeline.detect.letterbox import check_size
from pipeline.detect.runtime import Normalisation, OpenVinoNetwork, converted
from pipeline.models import load_into
from pipeline.types import ByteArray, Face, FloatArray

if TYPE_CHECKING:
    from pipeline.models import VerifiedModel

_STEM = (16, 32)
_CHANNELS = 64
_UNITS = (2, 2, 2)
_OUTPUTS = 1 + 4 + 10
_MAX_IOU = 0.3
# A face in a hundred cells: training begins with few false ones (Lin et al., ICCV 2017, section 3.3).
_FIRST_LOGIT = -4.6


def _conv(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def _depthwise(channels: int, stride: int = 1) -> nn.Sequential:
    """Across channels first, then across places, as YuNet's units do."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )


class CompactNet(nn.Module):
    """float32 (N, 3, H, W) BGR 0..255, sides multiples of 32 -> for each stride float32 (N, cells, 15).

    Of a cell: logit of the score, offsets of the box's centre, its log size, ten offsets of landmarks;
    see :func:`~pipeline.detect.cells.decode_cells`.
    """

    def __init__(self) -> None:
        super().__init__()
        first, second = _STEM
        self.stem = nn.Sequential(_conv(3, first, 2), _conv(first, second, 2))
        entries = (_conv(second, _CHANNELS, 2), _depthwise(_CHANNELS, 2), _depthwise(_CHANNELS, 2))
        self.stages = nn.ModuleList(
            nn.Sequential(entry, *(_depthwise(_CHANNELS) for _ in range(units)))
            for entry, units in zip(entries, _UNITS, strict=True)
        )
        self.merge = nn.ModuleList(_depthwise(_CHANNELS) for _ in STRIDES_PX)
        self.heads = nn.ModuleList(self._head() for _ in STRIDES_PX)

    @staticmethod
    def _head() -> nn.Module:
        last = nn.Conv2d(_CHANNELS, _OUTPUTS, 1)
        nn.init.normal_(last.weight, std=0.01)
        nn.init.zeros_(cast(torch.Tensor, last.bias))
        with torch.no_grad():
            cast(torch.Tensor, last.bias)[0] = _FIRST_LOGIT
        return nn.Sequential(_depthwise(_CHANNELS), last)

    def forward(self, images_bgr: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x = self.stem((images_bgr - 127.5) / 127.5)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        coarser = features[-1]
        merged = [self.merge[-1](coarser)]
        for level in (1, 0):
            coarser = features[level] + functional.interpolate(merged[-1], scale_factor=2.0, mode="nearest")
            merged.append(self.merge[level](coarser))
        maps = [head(x) for head, x in zip(self.heads, reversed(merged), strict=True)]
        return tuple(each.flatten(2).transpose(1, 2) for each in maps)


class CompactDetector:
    """A ``Detector`` over :class:`CompactNet`, on the CPU.

    Args:
        model: The opened card; its first file holds the weights.
        size_px: Pictures with a longer side are reduced to this before detection; multiple of 32.
        min_score: Proposals below it are dropped, 0..1.
        threads: Inference threads; fixed, so that results do not depend on the machine's load.

    Raises:
        ModelFormatError: the file holds no such weights.
    """

    def __init__(self, model: VerifiedModel, *, size_px: int, min_score: float, threads: int = 1) -> None:
        check_size(size_px)
        network = CompactNet()
        load_into(network, model.main_path)
        self._detector_id = model.card.model_id
        self._size_px, self._min_score = size_px, min_score
        self._network = OpenVinoNetwork(converted(network), Normalisation(), threads=threads)

    @property
    def detector_id(self) -> str:
        return self._detector_id

    def detect(self, images_bgr: Sequence[ByteArray]) -> list[list[Face]]:
        """See ``pipeline.seams.Detector``. A picture without pixels has no faces."""
        return detect_batched(
            images_bgr, self._propose, size_px=self._size_px, batch_size=1, max_iou=_MAX_IOU
        )

    def _propose(self, batch_bgr: ByteArray) -> list[Candidates]:
        outputs = self._network(batch_bgr)
        width_px = batch_bgr.shape[2]
        return [
            decode([output[row] for output in outputs], width_px, self._min_score)
            for row in range(len(batch_bgr))
        ]


def decode(outputs: Sequence[FloatArray], width_px: int, min_score: float) -> Candidates:
    """The proposals of one picture.

    Args:
        outputs: Of each stride, float32 (cells, 15).
        width_px: Width of the network's input.
        min_score: Lowest score kept, 0..1.
    """
    return Candidates.joined(
        [
            decode_cells(
                np.asarray(1.0 / (1.0 + np.exp(-output[:, 0])), np.float32),
                output[:, 1:5],
                output[:, 5:],
                stride=stride,
                columns=width_px // stride,
                min_score=min_score,
            )
            for output, stride in zip(outputs, STRIDES_PX, strict=True)
        ]
    )
