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
from pipeline.purify.selector import Analysis, Gains, Selector

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

    The selector sees the coefficients of all three planes, of which the colour differences have the
    first `chroma_count` components, and says how much of each is kept. The result is neither rounded
    nor clipped, so that it can pass 0..255 by a little where an edge overshoots.

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

    @property
    def chroma_count(self) -> int:
        """Components of each colour difference."""
        return self._chroma_count

    def forward(self, crops_rgb: torch.Tensor) -> torch.Tensor:
        faces = self.analyse(crops_rgb)
        return self.reconstruct(faces, self.gains(faces))

    def analyse(self, crops_rgb: torch.Tensor) -> Analysis:
        """float32 (N, 3, 112, 112) RGB 0..255 -> what a selector sees of it."""
        planes = self.colour.planes(crops_rgb)
        centred = planes - self.mean
        luma = self._luma.analyse(centred[:, 0])
        if not self._chroma_count:
            return Analysis(planes, centred, luma, luma.new_zeros(len(luma), 2, 0))
        return Analysis(planes, centred, luma, self._chroma.analyse(centred[:, 1:]))

    def gains(self, faces: Analysis) -> Gains:
        """How much of each coefficient is kept."""
        gains: Gains = self.selector(faces)
        return gains

    def reconstruct(self, faces: Analysis, gains: Gains) -> torch.Tensor:
        """The faces with `gains`: float32 (N, 3, 112, 112) RGB, neither rounded nor clipped."""
        rest = None if gains.rest is None else gains.rest.unsqueeze(-1)
        # What the subspace does not explain is the face less its projection, so that a gain on it
        # needs no second synthesis: U(g z) + r (x - U z) = U((g - r) z) + r x.
        luma = gains.luma if rest is None else gains.luma - rest[:, 0]
        parts = [self._luma.synthesise(faces.luma * luma).unsqueeze(1)]
        if self._chroma_count:
            chroma = gains.chroma if rest is None else gains.chroma - rest[:, 1:]
            parts.append(self._chroma.synthesise(faces.chroma * chroma))
        else:
            parts.append(torch.zeros_like(faces.centred[:, 1:]))
        kept = torch.cat(parts, dim=1)
        if rest is not None:
            kept = kept + rest.unsqueeze(-1) * faces.centred
        return self.colour.rgb(kept + self.mean)

    def span(self, changes_rgb: torch.Tensor) -> torch.Tensor:
        """What of changes float32 (N, 3, 112, 112) RGB lies in the subspace, whatever the gains."""
        planes = self.colour.planes(changes_rgb)
        luma = self._luma.synthesise(self._luma.analyse(planes[:, :1]))
        if not self._chroma_count:
            return self.colour.rgb(torch.cat([luma, torch.zeros_like(planes[:, 1:])], dim=1))
        chroma = self._chroma.synthesise(self._chroma.analyse(planes[:, 1:]))
        return self.colour.rgb(torch.cat([luma, chroma], dim=1))

    @property
    def _luma(self) -> Basis:
        return cast(Basis, self.luma_basis)

    @property
    def _chroma(self) -> Basis:
        return cast(Basis, self.chroma_basis)
