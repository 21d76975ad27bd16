"""From photographs to an untrained purifier of the kind `pinwatch`: its basis and the spectrum of faces."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch

from pipeline.purify.adaptive import AdaptiveShape, AdaptiveWiener, Spectrum
from pipeline.purify.basis import PIXELS
from pipeline.purify.colour import LumaChroma
from pipeline.purify.fit import BasisKind, FitOptions, fit_pin
from pipeline.purify.pin import Pin
from pipeline.purify.storage import PinBasis
from pipeline.types import ByteArray

COMPONENTS = 4_000
CHROMA_COMPONENTS = 800
START_NOISE = 0.1
"""Of the untrained gains, squared units of the published code: strong, so that training gives back."""

_CHUNK = 256

Crops = Callable[[], Iterable[ByteArray]]


def untrained_pin(
    crops: Crops,
    *,
    components: int = COMPONENTS,
    chroma_components: int = CHROMA_COMPONENTS,
    noise: float = START_NOISE,
    seed: int = 0,
) -> tuple[Pin, PinBasis]:
    """A purifier whose gains are those of a Wiener filter until its network is trained.

    Args:
        crops: Gives the aligned faces, uint8 (112, 112, 3) RGB each; called twice.
        components: Of the luma basis; what lies outside has a gain of its own.
        chroma_components: Of each colour difference.
        noise: See :data:`START_NOISE`.
        seed: Of the network's first weights.

    Raises:
        UsageError: there are too few faces.
    """
    options = FitOptions(components, chroma_components, BasisKind.SEPARABLE, seed)
    fitted = fit_pin(crops(), options)
    spectrum = _spectrum(crops(), fitted.mean, fitted.basis, chroma_components)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        selector = AdaptiveWiener(spectrum, AdaptiveShape(), noise)
    return Pin("pinwatch", fitted.mean, fitted.basis, selector, chroma_components), fitted.basis


def _spectrum(
    crops: Iterable[ByteArray], mean: torch.Tensor, basis: PinBasis, chroma_components: int
) -> Spectrum:
    """Mean energies of the faces along the components and outside of them."""
    few = basis.truncated(chroma_components)
    colour = LumaChroma()
    luma_energy, chroma_energy = torch.zeros(basis.count), torch.zeros(2, chroma_components)
    total, count = torch.zeros(3, dtype=torch.float64), 0
    for chunk in _chunks(crops):
        centred = colour.planes(chunk) - mean
        luma_energy += basis.analyse(centred[:, 0]).square().sum(0)
        chroma_energy += few.analyse(centred[:, 1:]).square().sum(0)
        total += centred.double().square().sum((0, 2, 3))
        count += len(chunk)
    explained = torch.cat([luma_energy.sum()[None], chroma_energy.sum(1)]).double()
    outside = torch.tensor([PIXELS - basis.count] + [PIXELS - chroma_components] * 2).clamp(min=1)
    rest = ((total - explained) / outside / count).clamp(min=1e-2).float()
    return Spectrum(luma_energy.clamp(min=1e-2) / count, chroma_energy.clamp(min=1e-2) / count, rest)


def _chunks(crops: Iterable[ByteArray]) -> Iterator[torch.Tensor]:
    """float32 (N, 3, 112, 112) each."""
    remaining = iter(crops)
    while some := list(itertools.islice(remaining, _CHUNK)):
        yield torch.from_numpy(np.stack(some)).permute(0, 3, 1, 2).float()
