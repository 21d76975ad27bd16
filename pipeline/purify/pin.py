"""PIN: what of a face lies in the immune space, and nothing else.

Perturbation inactivation (Ren, Zhu, Wang, Sun, IEEE TIFS 2022) restricts the input to a subspace
spanned by principal components of faces. Unlike the published code ours draws no random mask and
takes no statistic over the batch: equal crops give equal results, whatever they are batched with.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from pipeline.purify.basis import SIDE, Basis
from pipeline.purify.colour import LumaChroma
from pipeline.purify.selector import Selector

NONE_ID = "none"


class NoPurification(nn.Module):
    """Crops as they are."""

    @property
    def purifier_id(self) -> str:
        return NONE_ID

    def forward(self, crops_rgb: torch.Tensor) -> torch.Tensor:
        return crops_rgb


class Pin(nn.Module):
    """``mu + U(g * U^T(x - mu))`` on luma and on both colour-difference planes.

    The selector sees the luma coefficients; its gains apply to all three planes, of which the colour
    differences keep at most the first `chroma_count` components. The result is neither rounded nor
    clipped, so that it can pass 0..255 by a little where an edge overshoots.

    Args:
        purifier_id: The card's name and the first 8 digits of its checksum.
        mean: float32 (3, 112, 112): mean Y, Cb, Cr planes of the training faces.
        basis: Orthonormal components, best first.
        selector: Gains per face.
        chroma_count: 0 (grey faces in the mean's colours) to ``basis.count``.
    """

    mean: torch.Tensor

    def __init__(
        self, purifier_id: str, mean: torch.Tensor, basis: Basis, selector: Selector, chroma_count: int
    ) -> None:
        super().__init__()
        if mean.shape != (3, SIDE, SIDE):
            raise ValueError(f"mean must be (3, {SIDE}, {SIDE}), got {tuple(mean.shape)}")
        if not 0 <= chroma_count <= basis.count:
            raise ValueError(f"chroma_count must be 0..{basis.count}, got {chroma_count}")
        self._purifier_id = purifier_id
        self._chroma_count = chroma_count
        self.register_buffer("mean", mean.float())
        self.colour = LumaChroma()
        self.luma_basis = cast(nn.Module, basis)
        self.chroma_basis = cast(nn.Module, basis.truncated(chroma_count)) if chroma_count else None
        self.selector = cast(nn.Module, selector)

    @property
    def purifier_id(self) -> str:
        return self._purifier_id

    def forward(self, crops_rgb: torch.Tensor) -> torch.Tensor:
        centred = self.colour.planes(crops_rgb) - self.mean
        luma, chroma = centred[:, :1], centred[:, 1:]
        coefficients = self._luma.analyse(luma)
        gains = self.gains(coefficients)
        kept_luma = self._luma.synthesise(coefficients * gains)
        kept = torch.cat([kept_luma, self._kept_chroma(chroma, gains)], dim=1)
        return self.colour.rgb(kept + self.mean)

    def gains(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Luma coefficients (N, 1, K) -> gains (N, 1, K)."""
        gains: torch.Tensor = self.selector(coefficients.squeeze(1))
        return gains.unsqueeze(1)

    @property
    def _luma(self) -> Basis:
        return cast(Basis, self.luma_basis)

    def _kept_chroma(self, chroma: torch.Tensor, gains: torch.Tensor) -> torch.Tensor:
        if self.chroma_basis is None:
            return torch.zeros_like(chroma)
        basis = cast(Basis, self.chroma_basis)
        return basis.synthesise(basis.analyse(chroma) * gains[..., : self._chroma_count])
