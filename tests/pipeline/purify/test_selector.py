"""Selectors without training do what their formula says."""

from __future__ import annotations

import pytest
import torch

from pipeline.purify.fit import FitOptions, fit_pin
from pipeline.purify.pin import Pin
from pipeline.purify.selector import UNIT, Analysis, Selector, Threshold, Wiener
from pipeline.seams import Purifier
from pipeline.types import ByteArray
from tests.contracts.purifier import PurifierContract


def analysis(luma: torch.Tensor, chroma: torch.Tensor) -> Analysis:
    planes = torch.zeros(len(luma), 3, 112, 112)
    return Analysis(planes, planes, luma, chroma)


def pin_with(pictures: list[ByteArray], selector: Selector) -> Pin:
    fitted = fit_pin(pictures, FitOptions(60, 20))
    return Pin("pin@12345678", fitted.mean, fitted.basis, selector, 20)


class TestWiener(PurifierContract):
    @pytest.fixture
    def purifier(self, pictures: list[ByteArray]) -> Purifier:
        fitted = fit_pin(pictures, FitOptions(60, 20))
        return pin_with(pictures, Wiener(fitted.basis.variances, 0.01))


def test_wiener_gains_are_least_squares() -> None:
    """Of all fixed gains they make the mean squared error to the clean coefficients smallest."""
    variances = torch.tensor([40_000.0, 2_500.0, 100.0])
    gains = Wiener(variances, (50 / UNIT) ** 2)(analysis(torch.zeros(1, 3), torch.zeros(1, 2, 1))).luma[0]
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(50_000, 3, generator=generator) * variances.sqrt()
    noisy = clean + 50 * torch.randn(50_000, 3, generator=generator)
    best = (noisy * clean).mean(0) / noisy.square().mean(0)
    assert torch.allclose(gains, best, atol=0.02)


def test_the_threshold_keeps_what_is_large_in_each_face() -> None:
    luma = torch.tensor([[20.0, -13.0, 12.0], [0.0, 100.0, -1.0]])
    chroma = torch.tensor([[[-13.0], [1.0]], [[0.0], [14.0]]])
    gains = Threshold(0.1)(analysis(luma, chroma))  # 12.75 in 8-bit units
    assert gains.luma.tolist() == [[1, 1, 0], [0, 1, 0]]
    assert gains.chroma.tolist() == [[[1], [0]], [[0], [1]]]
    assert gains.rest is None


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_impossible_strengths_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        Threshold(value)
    with pytest.raises(ValueError, match="positive"):
        Wiener(torch.ones(3), value)
