"""PIN and the absence of a purifier keep the purifier's contract, and PIN does what its formula says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.purify.basis import SeparableBasis
from pipeline.purify.colour import LumaChroma
from pipeline.purify.fit import BasisKind, FitOptions, fit_pin
from pipeline.purify.pin import NoPurification, Pin
from pipeline.purify.selector import Analysis, Gains, TopK
from pipeline.seams import Purifier
from pipeline.types import ByteArray
from tests.contracts.purifier import PurifierContract, noise_crops


def make_pin(pictures: list[ByteArray], kind: BasisKind, components: int, chroma: int) -> Pin:
    fitted = fit_pin(pictures, FitOptions(components, chroma, kind))
    return Pin("pin@12345678", fitted.mean, fitted.basis, TopK(components, components), chroma)


def as_crops(pictures: list[ByteArray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()


class HalfOfTheStrongest(torch.nn.Module):
    """A selector whose gains depend on the face: smooth, and as nonlinear as a learned one."""

    def forward(self, faces: Analysis) -> Gains:
        return Gains(torch.sigmoid(faces.luma.abs() / 20 - 1), torch.sigmoid(faces.chroma.abs() / 20 - 1))


class TestNoPurification(PurifierContract):
    @pytest.fixture
    def purifier(self) -> Purifier:
        return NoPurification()

    def test_it_is_called_none_and_changes_nothing(self) -> None:
        assert NoPurification().purifier_id == "none"
        assert torch.equal(NoPurification()(noise_crops(1)), noise_crops(1))


@pytest.mark.parametrize("kind", list(BasisKind))
class TestPin(PurifierContract):
    @pytest.fixture
    def purifier(self, pictures: list[ByteArray], kind: BasisKind) -> Purifier:
        return make_pin(pictures, kind, 60, 20)


class TestPinWithGainsPerFace(PurifierContract):
    @pytest.fixture
    def purifier(self, pictures: list[ByteArray]) -> Purifier:
        fitted = fit_pin(pictures, FitOptions(60, 20))
        return Pin("pin@12345678", fitted.mean, fitted.basis, HalfOfTheStrongest(), 20)


@pytest.fixture
def pin(pictures: list[ByteArray]) -> Pin:
    return make_pin(pictures, BasisKind.SEPARABLE, 100, 30)


def test_purifying_twice_is_purifying_once(pin: Pin, unseen_pictures: list[ByteArray]) -> None:
    once = pin(as_crops(unseen_pictures))
    assert torch.allclose(pin(once), once, atol=0.05)


def test_faces_stay_and_what_is_not_of_faces_goes(pin: Pin, unseen_pictures: list[ByteArray]) -> None:
    crops = as_crops(unseen_pictures)
    noise = 8.0 * torch.randn(crops.shape, generator=torch.Generator().manual_seed(0)).sign()
    purified = pin(crops)
    assert (purified - crops).square().mean().sqrt() < 4.0  # the fine noise of the pictures themselves is 3
    passed = (pin(crops + noise) - purified).square().mean().sqrt()
    assert passed < 0.12 * noise.square().mean().sqrt()


def test_colour_survives(pin: Pin, unseen_pictures: list[ByteArray]) -> None:
    crops = as_crops(unseen_pictures)
    assert torch.allclose(pin(crops).mean((2, 3)), crops.mean((2, 3)), atol=1.0)
    assert (pin(crops).std(1) > 5).any()


def test_without_chroma_components_all_faces_have_the_mean_colours(pictures: list[ByteArray]) -> None:
    pin = make_pin(pictures, BasisKind.SEPARABLE, 100, 0)
    planes = LumaChroma().planes(pin(noise_crops(2)))
    assert torch.allclose(planes[0, 1:], planes[1, 1:], atol=1e-3)
    assert not torch.allclose(planes[0, 0], planes[1, 0], atol=1.0)


def test_a_full_rank_basis_is_the_identity() -> None:
    eye = torch.eye(112)
    pairs = torch.cartesian_prod(torch.arange(112), torch.arange(112))
    basis = SeparableBasis(eye, eye, pairs, torch.ones(len(pairs)))
    pin = Pin(
        "pin@12345678", torch.full((3, 112, 112), 100.0), basis, TopK(len(pairs), len(pairs)), len(pairs)
    )
    assert torch.allclose(pin(noise_crops(2)), noise_crops(2), atol=1e-2)


def test_it_is_the_formula(pictures: list[ByteArray]) -> None:
    """``mu + U(g * U^T(x - mu))``, written out in numpy for one face's luma."""
    fitted = fit_pin(pictures, FitOptions(10, 10, BasisKind.EIGEN))
    pin = Pin("pin@12345678", fitted.mean, fitted.basis, HalfOfTheStrongest(), 10)
    crop = as_crops(pictures[:1])
    u = fitted.basis.synthesise(torch.eye(10)).flatten(1).double().numpy().T
    weights = np.array([0.299, 0.587, 0.114])
    x = np.einsum("c,chw->hw", weights, crop[0].double().numpy()).ravel()
    mu = fitted.mean[0].double().numpy().ravel()
    z = u.T @ (x - mu)
    gains = 1 / (1 + np.exp(-(np.abs(z) / 20 - 1)))
    expected = mu + u @ (gains * z)
    got = np.einsum("c,chw->hw", weights, pin(crop)[0].double().numpy()).ravel()
    assert np.allclose(got, expected, atol=1e-2)


def test_the_selector_sees_each_row_alone_and_gains_apply(pictures: list[ByteArray]) -> None:
    keep_five = TopK(60, 5)
    fitted = fit_pin(pictures, FitOptions(60, 20))
    pin = Pin("pin@12345678", fitted.mean, fitted.basis, keep_five, 20)
    five = Pin("pin@12345678", fitted.mean, fitted.basis.truncated(5), TopK(5, 5), 5)
    assert torch.allclose(pin(noise_crops(3)), five(noise_crops(3)), atol=1e-2)
    gains = pin.gains(pin.analyse(noise_crops(3)))
    assert gains.luma.tolist() == [[1.0] * 5 + [0.0] * 55] * 3


def test_impossible_arguments_are_refused(pictures: list[ByteArray]) -> None:
    fitted = fit_pin(pictures, FitOptions(10, 5))
    with pytest.raises(ValueError, match="chroma_count"):
        Pin("pin", fitted.mean, fitted.basis, TopK(10, 10), 11)
    with pytest.raises(ValueError, match="mean"):
        Pin("pin", fitted.mean[0], fitted.basis, TopK(10, 10), 5)
    with pytest.raises(ValueError, match="keep"):
        TopK(10, 11)
