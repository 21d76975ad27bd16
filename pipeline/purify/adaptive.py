"""Pinwatch's own selector: Wiener gains against a noise spectrum that is estimated for each face.

The coefficients of a face say how much of it is not face: a perturbation raises the energy of
components, of the colour differences and of what no component explains, above what faces have there.
A small network reads these energies in bands and says how large the noise is in each band; the gain of
component k is then v / (v + n), least squares if that were so (Wiener, 1949). A clean face passes nearly
whole, an attacked one is reduced to the components that the attack cannot reach at its budget. Gains
are smooth functions of the face: there is no mask to flip.

Published PIN (Ren et al., IEEE TIFS 2022) chooses components by three convolutional networks of
6 billion multiplications a face; this is some hundred thousand, since the coefficients are there anyway.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from pipeline.purify.basis import PIXELS
from pipeline.purify.selector import UNIT, Analysis, Gains

_FLOOR = 1e-3
"""Added to energies, relative to those of faces, before the logarithm: a grey crop has none in colour."""

_FIRST_LUMA = 8  # below this index there are too few components to tell noise from a face
_FIRST_CHROMA = 4


@dataclass(frozen=True, slots=True)
class Spectrum:
    """What faces look like in a basis, squared 8-bit units.

    Attributes:
        luma: float32 (K,), variance along each component.
        chroma: float32 (2, C), the same of the colour differences.
        rest: float32 (3,), per plane, mean variance along what no component explains.
    """

    luma: torch.Tensor
    chroma: torch.Tensor
    rest: torch.Tensor


@dataclass(frozen=True, slots=True)
class AdaptiveShape:
    """Sizes of the network.

    Attributes:
        luma_bands: Bands that the luma components are read in, evenly spaced by log index.
        chroma_bands: The same for each colour difference.
        hidden: Units of both hidden layers.
    """

    luma_bands: int = 24
    chroma_bands: int = 6
    hidden: int = 64

    @property
    def features(self) -> int:
        return self.luma_bands + 2 * self.chroma_bands + 3


class AdaptiveWiener(nn.Module):
    """Gains for each face by itself, deterministic.

    Args:
        spectrum: Of faces, in the basis that the coefficients come from.
        shape: Of the network.
        noise: Where training starts: Wiener gains against white noise of this variance, squared units of
            the published code.
    """

    log_luma: torch.Tensor
    log_chroma: torch.Tensor
    log_rest: torch.Tensor
    log_start: torch.Tensor
    _luma_hats: torch.Tensor
    _chroma_hats: torch.Tensor
    _luma_mean: torch.Tensor
    _chroma_mean: torch.Tensor
    _rest_count: torch.Tensor

    def __init__(self, spectrum: Spectrum, shape: AdaptiveShape, noise: float = 0.02) -> None:
        super().__init__()
        self._shape = shape
        self.register_buffer("log_luma", spectrum.luma.log())
        self.register_buffer("log_chroma", spectrum.chroma.log())
        self.register_buffer("log_rest", spectrum.rest.log())
        self.register_buffer("bands", torch.tensor([shape.luma_bands, shape.chroma_bands]))
        self.register_buffer("log_start", torch.tensor(math.log(noise * UNIT**2)))
        luma_hats = hats(len(spectrum.luma), shape.luma_bands, _FIRST_LUMA)
        chroma_hats = hats(spectrum.chroma.shape[1], shape.chroma_bands, _FIRST_CHROMA)
        outside = [PIXELS - len(spectrum.luma)] + [PIXELS - spectrum.chroma.shape[1]] * 2
        derived = {
            "_luma_hats": luma_hats,
            "_chroma_hats": chroma_hats,
            "_luma_mean": (luma_hats / luma_hats.sum(1, keepdim=True)).T.contiguous(),
            "_chroma_mean": (chroma_hats / chroma_hats.sum(1, keepdim=True)).T.contiguous(),
            "_rest_count": torch.tensor(outside, dtype=torch.float32).clamp(min=1.0),
        }
        for name, value in derived.items():
            self.register_buffer(name, value, persistent=False)
        self.network = nn.Sequential(
            nn.Linear(shape.features, shape.hidden),
            nn.GELU(),
            nn.Linear(shape.hidden, shape.hidden),
            nn.GELU(),
            nn.Linear(shape.hidden, shape.features),
        )
        nn.init.zeros_(self.network[4].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.network[4].bias)  # type: ignore[arg-type]

    def forward(self, faces: Analysis) -> Gains:
        luma, chroma, rest = self._split(self.network(self.features(faces)) + self.log_start)
        return Gains(
            torch.sigmoid(self.log_luma - luma @ self._luma_hats),
            torch.sigmoid(self.log_chroma - chroma @ self._chroma_hats),
            torch.sigmoid(self.log_rest - rest),
        )

    def features(self, faces: Analysis) -> torch.Tensor:
        """float32 (N, F): log energy of each band, 0 where it is what faces have there on average."""
        luma_energy, chroma_energy = faces.luma.square(), faces.chroma.square()
        luma = (luma_energy * (-self.log_luma).exp()) @ self._luma_mean
        chroma = (chroma_energy * (-self.log_chroma).exp()) @ self._chroma_mean
        explained = torch.cat([luma_energy.sum(1, keepdim=True), chroma_energy.sum(2)], dim=1)
        outside = (faces.centred.square().sum((2, 3)) - explained).clamp(min=0.0) / self._rest_count
        rest = outside * (-self.log_rest).exp()
        return (torch.cat([luma, chroma.flatten(1), rest], dim=1) + _FLOOR).log()

    def _split(self, bands: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(N, F) -> luma (N, B), chroma (N, 2, B'), rest (N, 3)."""
        count, few = self._shape.luma_bands, self._shape.chroma_bands
        chroma = bands[:, count:-3].reshape(-1, 2, few)
        return bands[:, :count], chroma, bands[:, -3:]


def restore_adaptive(tensors: Mapping[str, torch.Tensor]) -> AdaptiveWiener:
    """The selector whose ``state_dict`` this is; every size follows from the tensors.

    Raises:
        KeyError, RuntimeError, ValueError: it is not one.
    """
    log_chroma, first = tensors["log_chroma"], tensors["network.0.weight"]
    luma_bands, chroma_bands = (int(n) for n in tensors["bands"])
    shape = AdaptiveShape(luma_bands, chroma_bands, len(first))
    spectrum = Spectrum(tensors["log_luma"].exp(), log_chroma.exp(), tensors["log_rest"].exp())
    selector = AdaptiveWiener(spectrum, shape)
    selector.load_state_dict(dict(tensors))
    return selector


def hats(count: int, bands: int, first: int) -> torch.Tensor:
    """float32 (bands, count): linear interpolation between nodes evenly spaced in the log of the index.

    Columns sum to 1; components before `first` belong to the first node.

    Raises:
        ValueError: there are not enough components for so many bands.
    """
    if bands < 2 or count <= first:
        raise ValueError(f"{bands} bands of {count} components, the first node at {first}, cannot be")
    place = torch.arange(1, count + 1, dtype=torch.float64).clamp(min=first).log()
    nodes = torch.linspace(math.log(first), math.log(count), bands, dtype=torch.float64)
    weights = (1.0 - (place[None] - nodes[:, None]).abs() / (nodes[1] - nodes[0])).clamp(min=0.0)
    if not bool((weights.sum(1) > 0).all()):
        raise ValueError(f"{count} components are too few for {bands} bands")
    return weights.float()
