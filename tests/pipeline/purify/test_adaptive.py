"""Pinwatch's selector: a purifier like any other, Wiener gains before training, and it sees noise."""

from __future__ import annotations

import pytest
import torch

from pipeline.purify.adaptive import AdaptiveShape, AdaptiveWiener, Spectrum, hats, restore_adaptive
from pipeline.purify.pin import Pin
from pipeline.purify.selector import UNIT
from pipeline.seams import Purifier
from pipeline.types import ByteArray
from tests.contracts.purifier import PurifierContract
from tests.pipeline.purify.test_pin import as_crops
from training.fit_adaptive import untrained_pin


def make_pin(pictures: list[ByteArray], noise: float = 0.02) -> Pin:
    pin, _ = untrained_pin(lambda: pictures, components=200, chroma_components=40, noise=noise)
    return pin.eval().requires_grad_(False)


def selector_of(pin: Pin) -> AdaptiveWiener:
    assert isinstance(pin.selector, AdaptiveWiener)
    return pin.selector


def disturbed(pin: Pin) -> Pin:
    """With random weights in its last layer, as if it had been trained."""
    last = selector_of(pin).network[4]
    generator = torch.Generator().manual_seed(0)
    for weights in last.parameters():
        weights.data = torch.randn(weights.shape, generator=generator) * 0.3
    return pin


class TestUntrained(PurifierContract):
    @pytest.fixture
    def purifier(self, pictures: list[ByteArray]) -> Purifier:
        return make_pin(pictures)


class TestTrained(PurifierContract):
    @pytest.fixture
    def purifier(self, pictures: list[ByteArray]) -> Purifier:
        return disturbed(make_pin(pictures))


def test_before_training_its_gains_are_wieners(pictures: list[ByteArray]) -> None:
    pin = make_pin(pictures, noise=0.02)
    faces = pin.analyse(as_crops(pictures[:2]))
    gains = pin.gains(faces)
    variances = selector_of(pin).log_luma.exp()
    expected = variances / (variances + 0.02 * UNIT**2)
    assert torch.allclose(gains.luma, expected.expand_as(gains.luma), atol=1e-4)
    assert gains.rest is not None
    assert gains.rest.shape == (2, 3)


def test_without_noise_to_take_away_a_face_passes_whole(pictures: list[ByteArray]) -> None:
    crops = as_crops(pictures[:2])
    assert torch.allclose(make_pin(pictures, noise=1e-9)(crops), crops, atol=0.05)


def test_it_sees_noise_where_faces_have_none(
    pictures: list[ByteArray], unseen_pictures: list[ByteArray]
) -> None:
    """Features of faces lie about 0; noise of 8/255 lifts those of the weak components and of the rest."""
    pin = make_pin(pictures)
    crops = as_crops(unseen_pictures)
    noise = 8.0 * torch.randn(crops.shape, generator=torch.Generator().manual_seed(0)).sign()
    clean, noisy = (selector_of(pin).features(pin.analyse(x)) for x in (crops, crops + noise))
    assert clean.mean().abs() < 0.5
    assert ((noisy - clean)[:, -3:] > 1.0).all()
    assert (noisy - clean)[:, 23].mean() > 1.0
    assert (noisy - clean)[:, 0].abs().mean() < 0.1


def test_it_comes_back_from_its_tensors(pictures: list[ByteArray]) -> None:
    selector = selector_of(disturbed(make_pin(pictures)))
    restored = restore_adaptive(selector.state_dict())
    pin = make_pin(pictures)
    faces = pin.analyse(as_crops(pictures[:3]))
    for before, after in zip(selector(faces), restored(faces), strict=True):
        assert torch.equal(before, after)


def test_hats_interpolate() -> None:
    weights = hats(500, 12, 8)
    assert torch.allclose(weights.sum(0), torch.ones(500))
    assert (weights[0, :8] == 1).all()
    assert weights[-1, -1] == 1
    assert ((weights > 0).sum(0) <= 2).all()


@pytest.mark.parametrize(("count", "bands"), [(8, 4), (500, 1), (12, 24)])
def test_too_few_components_are_refused(count: int, bands: int) -> None:
    with pytest.raises(ValueError, match="bands"):
        hats(count, bands, 8)


def test_spectrum_and_shape_say_how_many_features() -> None:
    spectrum = Spectrum(torch.ones(300), torch.ones(2, 60), torch.ones(3))
    assert AdaptiveWiener(spectrum, AdaptiveShape(8, 3, 16)).network[0].in_features == 8 + 2 * 3 + 3
