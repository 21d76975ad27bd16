"""Fits the immune space to aligned faces. Needs torch, numpy and safetensors, nothing else."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pipeline.errors import UsageError
from pipeline.models.card import ModelCard
from pipeline.purify.basis import PIXELS, SIDE, EigenBasis, SeparableBasis
from pipeline.purify.colour import LumaChroma
from pipeline.purify.selector import SelectorKind
from pipeline.purify.storage import PinBasis, StoredPin, save_pin
from pipeline.types import ByteArray, check_array

_CHUNK = 256
_EXACT_FACES_MAX = 4096  # up to here the matrix of all products between faces is small
_MIN_FACES = 32
_CPU = torch.device("cpu")


class BasisKind(enum.StrEnum):
    """See :mod:`pipeline.purify.basis`."""

    EIGEN = "eigen"
    SEPARABLE = "separable"
    DCT = "dct"


@dataclass(frozen=True, slots=True)
class FitOptions:
    """What to fit.

    Attributes:
        components: How many luma components to keep.
        chroma_components: How many of them for the colour differences; ``None`` is a quarter.
        kind: Which basis.
        seed: Of the randomised decomposition that large sets need; small ones are exact. The same seed
            gives the same basis on the same device.
    """

    components: int = 800
    chroma_components: int | None = None
    kind: BasisKind = BasisKind.SEPARABLE
    seed: int = 0

    @property
    def chroma_keep(self) -> int:
        return max(1, self.components // 4) if self.chroma_components is None else self.chroma_components


@dataclass(frozen=True, slots=True, eq=False)
class FittedPin:
    """Mean planes float32 (3, 112, 112), the basis, from how many faces, and the share of luma variance."""

    mean: torch.Tensor
    basis: PinBasis
    faces: int
    explained: float


def fit_pin(crops_rgb: Iterable[ByteArray], options: FitOptions, device: torch.device = _CPU) -> FittedPin:
    """Fit mean and basis to aligned faces, uint8 (112, 112, 3) RGB each.

    Args:
        crops_rgb: Taken once.
        options: What to fit.
        device: Where the decomposition runs; the result is on the CPU.

    Raises:
        UsageError: too few faces for what was asked.
    """
    luma, mean = _luma_and_means(crops_rgb)
    centred = (luma - mean[0]).to(device)
    _check_enough(len(luma), options)
    if options.kind is BasisKind.EIGEN:
        basis: PinBasis = fit_eigen(centred, options.components, options.seed)
    elif options.kind is BasisKind.DCT:
        basis = fit_dct(centred, options.components)
    else:
        basis = fit_separable(centred, options.components)
    total = float(centred.double().square().sum()) / len(luma)
    explained = float(basis.variances.double().sum()) / max(total, 1e-12)
    return FittedPin(mean, basis.cpu(), len(luma), explained)


def fit_eigen(
    centred: torch.Tensor, components: int, seed: int, exact_up_to: int = _EXACT_FACES_MAX
) -> EigenBasis:
    """Principal components of float32 (N, 112, 112), by exact decomposition of up to `exact_up_to` faces.

    Larger sets take the randomised one (Halko, Martinsson, Tropp, 2011) with `seed`.
    """
    faces = centred.flatten(1)
    if len(faces) <= exact_up_to:
        vectors, squares = _exact_components(faces, components)
    else:
        vectors, squares = _randomised_components(faces, components, seed)
    signed = _fix_signs(vectors)
    return EigenBasis(signed.reshape(-1, SIDE, SIDE), squares / len(faces))


def fit_separable(centred: torch.Tensor, components: int) -> SeparableBasis:
    """Rows and columns diagonalise the two covariances of float32 (N, 112, 112); the best pairs are kept."""
    faces = centred.double()
    rows = _eigenvectors(torch.einsum("nij,nkj->ik", faces, faces))
    columns = _eigenvectors(torch.einsum("nij,nik->jk", faces, faces))
    return _best_products(rows, columns, faces, components)


def fit_dct(centred: torch.Tensor, components: int) -> SeparableBasis:
    """Products of cosines (DCT-II) instead of fitted vectors: a control that owes faces its order only."""
    cosines = dct_matrix(SIDE).to(centred.device)
    return _best_products(cosines, cosines, centred.double(), components)


def dct_matrix(size: int) -> torch.Tensor:
    """float64 (size, size): orthonormal DCT-II, a frequency a column (Ahmed, Natarajan, Rao, 1974)."""
    numbers = torch.arange(size, dtype=torch.float64)
    cosines = torch.cos(torch.pi / size * numbers[:, None] * (numbers + 0.5)) * (2.0 / size) ** 0.5
    cosines[0] /= 2.0**0.5
    matrix: torch.Tensor = cosines.T.contiguous()
    return matrix


def _best_products(
    rows: torch.Tensor, columns: torch.Tensor, faces: torch.Tensor, components: int
) -> SeparableBasis:
    """The pairs of a row and a column that explain float64 (N, 112, 112) the most."""
    variances = torch.zeros(SIDE, SIDE, dtype=torch.float64, device=faces.device)
    for chunk in torch.split(faces, _CHUNK):
        variances += (rows.T @ chunk @ columns).square().sum(0)
    best = variances.flatten().sort(descending=True, stable=True).indices[:components]
    order = torch.stack([best // SIDE, best % SIDE], dim=1)
    return SeparableBasis(
        rows.float(), columns.float(), order, variances.flatten()[best].float() / len(faces)
    )


def _eigenvectors(covariance: torch.Tensor) -> torch.Tensor:
    vectors = torch.linalg.eigh(covariance).eigenvectors.flip(1)
    return _fix_signs(vectors.T).T


def _fix_signs(vectors: torch.Tensor) -> torch.Tensor:
    """Each row with its largest entry positive, since a decomposition leaves the sign open."""
    largest = vectors.abs().argmax(dim=1, keepdim=True)
    return vectors * vectors.gather(1, largest).sign()


def _exact_components(faces: torch.Tensor, components: int) -> tuple[torch.Tensor, torch.Tensor]:
    """By way of the products between faces (Sirovich, Kirby, 1987): N x N instead of 12544 x 12544."""
    products = torch.zeros(len(faces), len(faces), dtype=torch.float64, device=faces.device)
    for pixels in torch.split(faces, _CHUNK, dim=1):
        part = pixels.double()
        products += part @ part.T
    values, vectors = torch.linalg.eigh(products)
    squares = values.flip(0)[:components]
    rank = int((squares > 1e-9 * squares[0]).sum())
    if rank < components:
        raise UsageError(f"the faces span only {rank} components (are there copies?): ask for no more")
    weights = (vectors.flip(1)[:, :components] / squares.sqrt()).float()
    # The small components come out a little skewed in f32: once more orthonormal.
    orthonormal = torch.linalg.qr((faces.T @ weights).double()).Q
    return orthonormal.T.float(), squares.float()


def _randomised_components(
    faces: torch.Tensor, components: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.random.fork_rng(devices=[faces.device] if faces.is_cuda else []):
        torch.manual_seed(seed)
        rank = min(components + 64, *faces.shape)
        _, values, vectors = torch.svd_lowrank(faces, q=rank, niter=4)
    return vectors[:, :components].T, values[:components].square()


def _luma_and_means(crops_rgb: Iterable[ByteArray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Luma planes float32 (N, 112, 112) and the mean of all three planes (3, 112, 112)."""
    colour = LumaChroma()
    luma: list[torch.Tensor] = []
    total = torch.zeros(3, SIDE, SIDE, dtype=torch.float64)
    for chunk in _chunks(crops_rgb):
        planes = colour.planes(torch.from_numpy(chunk).permute(0, 3, 1, 2).float())
        total += planes.double().sum(0)
        luma.append(planes[:, 0].clone())
    if not luma:
        raise UsageError("no face was found to fit to: give a folder of photographs that show faces")
    stacked = torch.cat(luma)
    return stacked, (total / len(stacked)).float()


def _chunks(crops_rgb: Iterable[ByteArray]) -> Iterator[ByteArray]:
    chunk: list[ByteArray] = []
    for crop in crops_rgb:
        check_array("crop", crop, np.uint8, (SIDE, SIDE, 3))
        chunk.append(crop)
        if len(chunk) == _CHUNK:
            yield np.stack(chunk)
            chunk = []
    if chunk:
        yield np.stack(chunk)


def _check_enough(faces: int, options: FitOptions) -> None:
    if not 1 <= options.components <= PIXELS:
        raise UsageError(f"--components must be 1..{PIXELS}, got {options.components}")
    if not 0 <= options.chroma_keep <= options.components:
        raise UsageError(f"--chroma-components must be 0..{options.components}, got {options.chroma_keep}")
    eigen = options.kind is BasisKind.EIGEN
    needed = options.components + 1 if eigen else _MIN_FACES
    if faces < needed:
        or_else = ", ask for fewer components, or choose --basis separable" if eigen else ""
        raise UsageError(
            f"{faces} faces are too few: {options.components} {options.kind} components need at least "
            f"{needed}. Give more photographs{or_else}"
        )


def save_fitted(
    fitted: FittedPin,
    folder: Path,
    name: str,
    options: FitOptions,
    kind: SelectorKind = SelectorKind.TOP_K,
    *,
    selection: Mapping[str, float] | None = None,
) -> ModelCard:
    """Write what :func:`fit_pin` gave, with a card that ``--purifier NAME`` finds.

    Args:
        fitted: Mean and basis.
        folder: Made if need be.
        name: The card's name.
        options: What it was fitted with.
        kind: A selector that needs no training.
        selection: Its options: ``level`` of a threshold, ``noise`` of Wiener gains.

    Raises:
        StorageError: the folder cannot be written.
        ValueError: `name` cannot be a card's name.
    """
    description = (
        f"PIN, {options.kind} basis of {fitted.basis.count} components fitted to {fitted.faces} faces, "
        f"{fitted.explained:.1%} of their luma variance; selector {kind}."
    )
    return save_pin(
        folder,
        name,
        StoredPin(fitted.mean, fitted.basis),
        kind,
        description=description,
        source="fitted with `pinwatch pin fit`",
        options={
            "keep": options.components,
            "chroma_keep": options.chroma_keep,
            **(selection or {}),
        },
    )
