"""dlib's ResNet for faces (King, 2017): 29 convolutions, 128-d, the model that ``face_recognition`` uses.

Its weights are in the public domain (CC0). Units are those of He et al. (CVPR 2016) with half as many filters
and a fixed scale and shift in place of batch normalisation. Where a unit halves height and width its
input comes by an average of 2x2, without a convolution; dlib adds tensors of unlike size by taking what is
missing as zeros, and so does this.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from pipeline.embed.dlib_file import DlibLayer, read_layers
from pipeline.embed.resample import Matrix, TemplateResampling
from pipeline.errors import ModelFormatError

EMBEDDING_DIM = 128
CHIP_PX = 150

# (filters, units); every level but the first begins with a unit that halves height and width
_LEVELS = ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1))
_STEM = 32
_POOLED_PX = 35  # side of what the first unit gets
_MEAN_RGB = (122.782, 117.001, 104.298)
_SCALE = 256.0

# Our five points on dlib's mean face (``get_face_chip_details``): means of the six points of either eye, the
# tip of the nose, the corners of the mouth. A chip has a quarter of the mean face's side around it.
_PADDING = 0.25
_MEAN_FACE: Matrix = np.array(
    [
        [0.225492, 0.215990],
        [0.754761, 0.215990],
        [0.490127, 0.515625],
        [0.254149, 0.780233],
        [0.726104, 0.780233],
    ]
)
CHIP_TEMPLATE: Matrix = CHIP_PX * (_MEAN_FACE + _PADDING) / (1.0 + 2.0 * _PADDING)
CHIP_TEMPLATE.setflags(write=False)


class _Affine(nn.Module):
    """Scale and shift for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gamma + self.beta


def _conv(inputs: int, filters: int, kernel: int, stride: int) -> nn.Sequential:
    """dlib does not pad where it skips."""
    padding = kernel // 2 if stride == 1 else 0
    return nn.Sequential(nn.Conv2d(inputs, filters, kernel, stride, padding), _Affine(filters))


class _Unit(nn.Module):
    """Filters x side x side from inputs x `side_px` x `side_px`, of which `halves` makes half as many."""

    def __init__(self, inputs: int, filters: int, side_px: int, *, halves: bool) -> None:
        super().__init__()
        self.first = _conv(inputs, filters, 3, 2 if halves else 1)
        self.second = _conv(filters, filters, 3, 1)
        self.halves = halves
        self.side_px = side_px // 2 if halves else side_px
        # A convolution without padding leaves a row less than the average where the side is even.
        self.missing_px = self.side_px - (side_px - 1) // 2 if halves else 0
        self.missing_channels = filters - inputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.second(functional.relu(self.first(x)))
        shortcut = functional.avg_pool2d(x, 2, 2) if self.halves else x
        grown = functional.pad(y, (0, self.missing_px, 0, self.missing_px))
        return functional.relu(grown + functional.pad(shortcut, (0, 0, 0, 0, 0, self.missing_channels)))


class DlibResNet(nn.Module):
    """float32 (N, 3, 112, 112) RGB 0..255, ArcFace template -> float32 (N, 128), unit norm.

    dlib itself compares Euclidean distances of vectors that are not normalised, with .6 as the threshold.
    """

    _mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("_mean", torch.tensor(_MEAN_RGB).view(1, 3, 1, 1))
        self.resample = TemplateResampling(CHIP_TEMPLATE, CHIP_PX)
        self.stem = _conv(3, _STEM, 7, 2)
        units: list[nn.Module] = []
        inputs, side_px = _STEM, _POOLED_PX
        for level, (filters, count) in enumerate(_LEVELS):
            for n in range(count):
                unit = _Unit(inputs, filters, side_px, halves=level > 0 and n == 0)
                units.append(unit)
                inputs, side_px = filters, unit.side_px
        self.units = nn.Sequential(*units)
        self.project = nn.Linear(inputs, EMBEDDING_DIM, bias=False)

    def forward(self, crops_rgb: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.describe(self.resample(crops_rgb)), dim=1)

    def describe(self, chips_rgb: torch.Tensor) -> torch.Tensor:
        """float32 (N, 3, 150, 150) RGB 0..255 of dlib's own geometry -> (N, 128), as dlib gives them."""
        x = functional.relu(self.stem((chips_rgb - self._mean) / _SCALE))
        x = self.units(functional.max_pool2d(x, 3, 2))
        described: torch.Tensor = self.project(x.mean(dim=(2, 3)))
        return described


def load_dlib_resnet(path: Path) -> DlibResNet:
    """The network with the weights of ``dlib_face_recognition_resnet_model_v1.dat``.

    Raises:
        ModelFormatError: the file holds no such network.
    """
    network, layers = DlibResNet(), iter(read_layers(path))
    try:
        for module in _parameterised(network):
            _fill(module, next(layers))
    except (StopIteration, RuntimeError, ValueError) as error:
        raise ModelFormatError(
            f"{path} holds another network than dlib's ResNet for faces: {error}"
        ) from error
    if next(layers, None) is not None:
        raise ModelFormatError(f"{path} holds more layers than dlib's ResNet for faces")
    return network


def _parameterised(network: DlibResNet) -> Iterator[nn.Module]:
    """Modules with weights, from input to output, as the file has them."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | _Affine | nn.Linear):
            yield module


def _fill(module: nn.Module, layer: DlibLayer) -> None:
    values = torch.from_numpy(layer.values)
    with torch.no_grad():
        match module:
            case nn.Conv2d() if layer.kind == "con_4":
                assert module.bias is not None
                weights, biases = torch.split(values, [module.weight.numel(), module.bias.numel()])
                module.weight.copy_(weights.view_as(module.weight))
                module.bias.copy_(biases)
            case _Affine() if layer.kind == "affine_":
                gamma, beta = torch.split(values, [module.gamma.numel(), module.beta.numel()])
                module.gamma.copy_(gamma.view_as(module.gamma))
                module.beta.copy_(beta.view_as(module.beta))
            case nn.Linear() if layer.kind == "fc_2":
                module.weight.copy_(values.T)
            case _:
                raise ValueError(f"a layer of the kind {layer.kind!r} where it has {type(module).__name__}")
