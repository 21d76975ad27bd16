"""Both bases are orthonormal, ordered, and project."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.purify.basis import Basis, EigenBasis, SeparableBasis
from pipeline.purify.fit import fit_eigen, fit_separable

SIDE = 112


def luma(count: int, seed: int = 0) -> torch.Tensor:
    """float32 (N, 112, 112), centred, with variances that fall off."""
    generator = torch.Generator().manual_seed(seed)
    small = torch.randn(count, 1, 16, 16, generator=generator) * 30
    smooth = torch.nn.functional.interpolate(small, size=(SIDE, SIDE), mode="bicubic")[:, 0]
    planes = smooth + torch.randn(count, SIDE, SIDE, generator=generator)
    return torch.sub(planes, planes.mean(0))


FACES = luma(80)
BASES: dict[str, Basis] = {"eigen": fit_eigen(FACES, 40, seed=0), "separable": fit_separable(FACES, 300)}


def dct_matrix() -> torch.Tensor:
    """(112, 112) with orthonormal columns."""
    n = torch.arange(SIDE, dtype=torch.float64)
    matrix = torch.cos(torch.pi * (n[:, None] + 0.5) * n[None, :] / SIDE) * math.sqrt(2 / SIDE)
    matrix[:, 0] /= math.sqrt(2)
    return matrix.float()


@pytest.fixture(params=BASES)
def basis(request: pytest.FixtureRequest) -> Basis:
    return BASES[request.param]


def test_components_are_orthonormal(basis: Basis) -> None:
    coefficients = basis.analyse(basis.synthesise(torch.eye(basis.count)))
    assert torch.allclose(coefficients, torch.eye(basis.count), atol=1e-4)


def test_variances_fall_and_are_those_of_the_training_faces(basis: Basis) -> None:
    assert (basis.variances[:-1] >= basis.variances[1:] - 1e-3).all()
    measured = basis.analyse(FACES).square().mean(0)
    assert torch.allclose(measured, basis.variances, rtol=1e-2, atol=1e-2)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31), name=st.sampled_from(sorted(BASES)))
def test_projecting_twice_is_projecting_once(seed: int, name: str) -> None:
    basis = BASES[name]
    planes = 50 * torch.randn(2, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    once = basis.synthesise(basis.analyse(planes))
    twice = basis.synthesise(basis.analyse(once))
    assert torch.allclose(once, twice, atol=1e-2)
    remainder = planes - once
    assert basis.analyse(remainder).abs().max() < 1e-2, "what is cut off must be orthogonal to what is kept"


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 300), name=st.sampled_from(sorted(BASES)))
def test_truncation_keeps_the_first_components(seed: int, count: int, name: str) -> None:
    basis = BASES[name]
    count = min(count, basis.count)
    planes = torch.randn(2, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    kept = basis.truncated(count)
    assert kept.count == count
    coefficients = basis.analyse(planes)
    assert torch.allclose(kept.analyse(planes), coefficients[:, :count], atol=1e-3)
    coefficients[:, count:] = 0
    assert torch.allclose(kept.synthesise(kept.analyse(planes)), basis.synthesise(coefficients), atol=1e-3)


def test_a_full_rank_basis_changes_nothing() -> None:
    dct = dct_matrix()
    pairs = torch.cartesian_prod(torch.arange(SIDE), torch.arange(SIDE))
    variances = torch.ones(len(pairs))
    planes = 255 * torch.rand(2, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    separable = SeparableBasis(dct, dct, pairs, variances)
    assert torch.allclose(separable.synthesise(separable.analyse(planes)), planes, atol=1e-2)


def test_as_many_eigenfaces_as_faces_restore_each_of_them() -> None:
    few = luma(20, seed=3)
    basis = fit_eigen(few, 19, seed=0)  # centred: one dimension less than faces
    assert torch.allclose(basis.synthesise(basis.analyse(few)), few, atol=0.05)


def test_eigenfaces_are_the_best_basis_of_their_size() -> None:
    def lost(basis: Basis) -> float:
        return float((FACES - basis.synthesise(basis.analyse(FACES))).square().mean())

    assert lost(fit_eigen(FACES, 30, seed=0)) < lost(fit_separable(FACES, 30))


def test_arrays_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ValueError, match="components"):
        EigenBasis(torch.zeros(3, 100, 112), torch.zeros(3))
    with pytest.raises(ValueError, match="order"):
        SeparableBasis(torch.eye(112), torch.eye(112), torch.zeros(2, 2, dtype=torch.int64), torch.zeros(3))
