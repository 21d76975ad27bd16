"""Which components of a face are kept, and how much of each: the seam, and the selectors without training.

Thresholds and noise levels count in units of the published code, pictures in -1..1: one unit is
127.5 of 255, and a white noise of standard deviation s in a picture has standard deviation s in
every coefficient, since the bases are orthonormal.
"""

from __future__ import annotations

import enum
from typing import NamedTuple, Protocol

import torch
from torch import nn

UNIT = 127.5
"""8-bit steps in one unit of the published code."""

_SOFTNESS = 0.25


class SelectorKind(enum.StrEnum):
    """The selectors that a card can name (as architecture ``pin_<kind>``)."""

    TOP_K = "topk"
    THRESHOLD = "threshold"
    WIENER = "wiener"
    PAPER = "paper"
    PINWATCH = "pinwatch"


class Analysis(NamedTuple):
    """A batch of faces as a selector sees it.

    Attributes:
        planes: float32 (N, 3, 112, 112): Y 0..255, Cb and Cr about 0, not centred on the mean face.
        centred: The same less the mean face.
        luma: float32 (N, K), coefficients of the centred luma, 8-bit units, in the order of the basis.
        chroma: float32 (N, 2, C), coefficients of both centred colour differences; C <= K, may be 0.
    """

    planes: torch.Tensor
    centred: torch.Tensor
    luma: torch.Tensor
    chroma: torch.Tensor


class Gains(NamedTuple):
    """What becomes of each coefficient.

    Attributes:
        luma: float32 (N, K), 0..1.
        chroma: float32 (N, 2, C) or (N, 1, C), 0..1.
        rest: float32 (N, 3), 0..1, per plane, of what no component explains; ``None`` is nothing of it.
    """

    luma: torch.Tensor
    chroma: torch.Tensor
    rest: torch.Tensor | None = None


class Selector(Protocol):
    """Gains per face. Deterministic; a row's gains depend on that row alone; gradients flow.

    Must not sample (unless it was asked to, for comparison), nor look at statistics of a batch.
    """

    def __call__(self, faces: Analysis) -> Gains:
        """Gains for each of N faces."""
        ...


class HardMasks(nn.Module):
    """A selector with comparisons, whose gradient is 0 unless it is asked for another one.

    Attributes:
        straight_through: Let the gradient pass as if the masks were smooth. Gains stay the same to the
            bit. Meant for adaptive evaluation.
    """

    straight_through: bool

    @property
    def hard(self) -> bool:
        """Whether gains are 0 or 1, from a comparison."""
        return True


class TopK(nn.Module):
    """The same choice for every face: the first `keep` components, which explain faces the most.

    Args:
        count: K.
        keep: How many are kept, 1..K.
    """

    gains: torch.Tensor

    def __init__(self, count: int, keep: int) -> None:
        super().__init__()
        if not 1 <= keep <= count:
            raise ValueError(f"keep must be 1..{count}, got {keep}")
        self.register_buffer("gains", (torch.arange(count) < keep).float())

    def forward(self, faces: Analysis) -> Gains:
        return _same_for_all(self.gains, faces)


class Wiener(nn.Module):
    """The same smooth choice for every face: ``v / (v + noise)``, least squares against white noise.

    Args:
        variances: float32 (K,), of faces along each luma component, squared 8-bit units.
        noise: Variance of the noise in each coefficient, squared units of the published code.
    """

    gains: torch.Tensor

    def __init__(self, variances: torch.Tensor, noise: float) -> None:
        super().__init__()
        if noise <= 0:
            raise ValueError(f"noise must be positive, got {noise}")
        self.register_buffer("gains", variances / (variances + noise * UNIT**2))

    def forward(self, faces: Analysis) -> Gains:
        return _same_for_all(self.gains, faces)


class Threshold(HardMasks):
    """Per face, the components whose coefficient is at least `level` (hard thresholding).

    Args:
        level: Of the absolute coefficient, units of the published code.
        straight_through: See :class:`HardMasks`; the gradient is a sigmoid's, as steep as that a
            coefficient of twice the level is nearly certain.
    """

    def __init__(self, level: float, *, straight_through: bool = False) -> None:
        super().__init__()
        self.straight_through = straight_through
        if level <= 0:
            raise ValueError(f"level must be positive, got {level}")
        self.level = level

    def forward(self, faces: Analysis) -> Gains:
        return Gains(self._mask(faces.luma), self._mask(faces.chroma))

    def _mask(self, coefficients: torch.Tensor) -> torch.Tensor:
        level = self.level * UNIT
        mask = (coefficients.abs() >= level).to(coefficients.dtype)
        if not self.straight_through:
            return mask
        smooth = torch.sigmoid((coefficients.abs() - level) / (_SOFTNESS * level))
        return mask + (smooth - smooth.detach())


def _same_for_all(gains: torch.Tensor, faces: Analysis) -> Gains:
    chroma = gains[: faces.chroma.shape[-1]]
    return Gains(gains.expand(faces.luma.shape), chroma.expand(faces.chroma.shape))
