"""The selector that the PIN paper publishes: a network gives each component a probability of being kept.

Ren, Zhu, Wang, Sun, "Perturbation Inactivation Based Adversarial Defense for Face Recognition", IEEE
TIFS 2022; sizes and layers as in the authors' code. The luma plane, scaled to -1..1, passes twice
through a denoising autoencoder, then through a residual encoder and two linear layers. There is no
normalisation over a batch anywhere. Two of the published rules make a decision depend on something
other than the face, and are not kept as they are: see :class:`MaskMode`.
"""

from __future__ import annotations

import copy
import enum
import itertools
import math

import torch
from torch import nn

from pipeline.purify.basis import SIDE
from pipeline.purify.selector import UNIT, Analysis, Gains, HardMasks

PUBLISHED_COUNT = 2500
_DENOISER_CHANNELS = (64, 128, 256)
_ENCODER_CHANNELS = (64, 128, 256, 512)
_HIDDEN = 512
_SLOPE = 0.25  # of PReLU below 0, before training
_FEATURE_SIDE = SIDE // 2 ** len(_ENCODER_CHANNELS)


class MaskMode(enum.StrEnum):
    """How keep-probabilities become gains."""

    MEAN = "mean"
    """1 where the probability is at least the mean of the face's own, else 0. The published code has a
    rule like it, but takes the mean over the whole batch, so that a face's result depends on others."""

    PROBABILITY = "probability"
    """The probabilities themselves: what `SAMPLE` gives on average, without a jump anywhere."""

    SAMPLE = "sample"
    """1 with that probability, drawn anew at each call: the published default. Only for comparison: a
    decision cannot be derived again, and chance makes attacks look weaker than they are."""


def scaled(luma: torch.Tensor) -> torch.Tensor:
    """Luma 0..255 in units of the published code, -1..1."""
    return luma / UNIT - 1


class PaperSelector(HardMasks):
    """Masks from the published networks.

    Hard masks are comparisons. Their gradient is 0, so that an attacker who differentiates through
    the purifier sees the components kept now but not how to change which. That hides something real
    from the attacker without making it go away; `straight_through` undoes it.

    Args:
        count: K, one probability for each luma component of the basis.
        width: Share of the published channels: less than 1 for tests and small machines.
        mode: How probabilities become gains.
        straight_through: Let the gradient pass hard masks as if they were the probabilities (backward
            pass differentiable approximation; Athalye, Carlini, Wagner, ICML 2018). Gains stay the same
            to the bit. Meant for adaptive evaluation.
        generator: Where `SAMPLE` draws; required there, refused elsewhere.
    """

    def __init__(
        self,
        count: int = PUBLISHED_COUNT,
        *,
        width: float = 1.0,
        mode: MaskMode = MaskMode.MEAN,
        straight_through: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if count < 1 or width <= 0:
            raise ValueError(f"count and width must be positive, got {count} and {width}")
        if (mode is MaskMode.SAMPLE) != (generator is not None):
            raise ValueError(f"mode {mode} takes {'no' if generator else 'a'} generator")
        self.count = count
        self.mode = mode
        self.straight_through = straight_through
        self._generator = generator
        self.denoiser = Denoiser(width)
        self.encoder = _encoder(width)
        self.head = _head(count, width)

    @property
    def hard(self) -> bool:
        return self.mode is not MaskMode.PROBABILITY

    @property
    def random(self) -> bool:
        """Whether each call draws anew."""
        return self._generator is not None

    def sampling(self, seed: int) -> PaperSelector:
        """A copy with the same weights that samples its masks, as published by default."""
        generator = torch.Generator().manual_seed(seed)
        copied = copy.deepcopy(self)
        copied.mode, copied._generator = MaskMode.SAMPLE, generator
        return copied

    def forward(self, faces: Analysis) -> Gains:
        """See :class:`pipeline.purify.selector.Selector`; the colour differences share luma's first gains.

        Raises:
            ValueError: `faces` has another number of luma components than `count`.
        """
        # While a graph is traced, shapes are tensors, and their comparison would be frozen into it.
        traced = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        if not traced and faces.luma.shape[-1] != self.count:
            raise ValueError(
                f"the selector is of {self.count} components, the basis of {faces.luma.shape[-1]}"
            )
        luma = self._gains(self.probabilities(faces.planes[:, 0]))
        return Gains(luma, luma[:, None, : faces.chroma.shape[-1]])

    def probabilities(self, luma: torch.Tensor) -> torch.Tensor:
        """float32 (N, 112, 112) 0..255 -> (N, K), 0..1, of each component being kept."""
        return torch.sigmoid(self.logits(scaled(luma)))

    def logits(self, pictures: torch.Tensor) -> torch.Tensor:
        """float32 (N, 112, 112) -1..1 -> (N, K) log odds, for training: probabilities can round to 1."""
        _, denoised = self.denoiser(pictures.unsqueeze(1))
        logits: torch.Tensor = self.head(self.encoder(denoised))
        return logits

    def _gains(self, probabilities: torch.Tensor) -> torch.Tensor:
        if self.mode is MaskMode.PROBABILITY:
            return probabilities
        if self._generator is None:
            level = probabilities.mean(dim=1, keepdim=True)
        else:
            device = self._generator.device
            level = torch.rand(probabilities.shape, generator=self._generator, device=device)
        # A tie with the mean keeps: equal probabilities must not empty the face. One with a draw from
        # [0, 1) does not, so that a probability of 0 never keeps.
        kept = (
            probabilities >= level if self.mode is MaskMode.MEAN else probabilities > level.to(probabilities)
        )
        mask = kept.to(probabilities.dtype)
        return mask + (probabilities - probabilities.detach()) if self.straight_through else mask


class Denoiser(nn.Module):
    """A convolutional autoencoder, applied to its own output once more with the same weights."""

    def __init__(self, width: float) -> None:
        super().__init__()
        ways = [1, *(_channels(wide, width) for wide in _DENOISER_CHANNELS)]
        pairs = list(itertools.pairwise(ways))
        down = [_convolutions(narrow, wide, stride=2) for narrow, wide in pairs]
        up = [_expansion(wide, narrow, last=False) for narrow, wide in reversed(pairs[1:])]
        self.once = nn.Sequential(*down, *up, _expansion(ways[1], 1, last=True))

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """float32 (N, 1, 112, 112) -1..1 -> the same, after one pass and after two."""
        first = self.once(pictures)
        return first, self.once(first)


class _Residual(nn.Module):
    """Two convolutions beside a linear one of one pixel; the sum is not rectified."""

    def __init__(self, narrow: int, wide: int, stride: int) -> None:
        super().__init__()
        self.body = _convolutions(narrow, wide, stride)
        self.shortcut = nn.Conv2d(narrow, wide, 1, stride, bias=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        total: torch.Tensor = self.body(features) + self.shortcut(features)
        return total


def _channels(published: int, width: float) -> int:
    return max(1, round(published * width))


def _convolutions(narrow: int, wide: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(narrow, wide, 3, padding=1, bias=False),
        nn.PReLU(wide),
        nn.Conv2d(wide, wide, 3, stride, padding=1, bias=False),
        nn.PReLU(wide),
    )


def _expansion(wide: int, narrow: int, *, last: bool) -> nn.Sequential:
    """Twice the height and width, then from `wide` channels to `narrow`."""
    return nn.Sequential(
        nn.ConvTranspose2d(wide, wide, 3, stride=2, padding=1, output_padding=1, bias=False),
        nn.PReLU(wide),
        nn.Conv2d(wide, narrow, 3, padding=1, bias=False),
        nn.Tanh() if last else nn.PReLU(narrow),
    )


def _encoder(width: float) -> nn.Sequential:
    """(N, 1, 112, 112) -> (N, 512, 7, 7): two residual blocks a resolution, of which the first halves it."""
    narrow = _channels(_ENCODER_CHANNELS[0], width)
    layers: list[nn.Module] = [nn.Conv2d(1, narrow, 3, padding=1, bias=False), nn.PReLU(narrow)]
    for published in _ENCODER_CHANNELS:
        wide = _channels(published, width)
        layers += [_Residual(narrow, wide, stride=2), _Residual(wide, wide, stride=1)]
        narrow = wide
    return nn.Sequential(*layers)


def _head(count: int, width: float) -> nn.Sequential:
    features = _channels(_ENCODER_CHANNELS[-1], width) * _FEATURE_SIDE**2
    hidden = _channels(_HIDDEN, width)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(features, hidden), nn.PReLU(hidden), nn.Linear(hidden, count)
    )


def initial_selector(count: int, seed: int, *, width: float = 1.0) -> PaperSelector:
    """An untrained selector whose weights depend on `seed` alone; the global generator is left as it was.

    Convolutions start so that the signal keeps its size (He, Zhang, Ren, Sun, ICCV 2015). How the
    authors start theirs is not published; with torch's default, two passes of the untrained denoiser
    shrink a picture by about twelve orders of magnitude, and all faces look alike to the encoder.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        selector = PaperSelector(count, width=width)
        for layer in selector.modules():
            _keep_size(layer)
        for block in selector.encoder:
            if isinstance(block, _Residual):  # a sum of two, each of which gives half of its power
                for name in ("shortcut.weight", "body.2.weight"):
                    block.get_parameter(name).data *= math.sqrt(0.5)
    return selector


@torch.no_grad()
def _keep_size(layer: nn.Module) -> None:
    if isinstance(layer, nn.ConvTranspose2d):
        # With stride 2 each output pixel meets a quarter of the kernel, on average.
        inputs = layer.weight[:, 0].numel() / 4
    elif isinstance(layer, nn.Conv2d):
        inputs = layer.weight[0].numel()
    else:
        return
    nn.init.normal_(layer.weight, std=math.sqrt(2 / (1 + _SLOPE**2) / inputs))
