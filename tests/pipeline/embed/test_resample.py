"""Resampling moves our template onto the other one, linearly and without inventing anything."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.align import ARCFACE_TEMPLATE
from pipeline.embed.resample import (
    OMZ_128_TEMPLATE,
    TemplateResampling,
    fit_axis_map,
    interpolation_matrix,
)


@pytest.fixture(scope="module")
def resample() -> TemplateResampling:
    return TemplateResampling(OMZ_128_TEMPLATE, 128)


def test_the_templates_land_on_each_other_as_well_as_two_different_templates_can() -> None:
    fit = fit_axis_map(ARCFACE_TEMPLATE, OMZ_128_TEMPLATE)
    moved = fit.scale * ARCFACE_TEMPLATE + (fit.shift_x, fit.shift_y)
    assert np.abs(moved - OMZ_128_TEMPLATE).max() < 2.1


@given(
    scale=st.floats(0.2, 5),
    shift_x=st.floats(-50, 50),
    shift_y=st.floats(-50, 50),
)
def test_an_exact_map_is_found(scale: float, shift_x: float, shift_y: float) -> None:
    fit = fit_axis_map(ARCFACE_TEMPLATE, scale * ARCFACE_TEMPLATE + (shift_x, shift_y))
    assert (fit.scale, fit.shift_x, fit.shift_y) == pytest.approx((scale, shift_x, shift_y), abs=1e-6)


def test_a_point_of_light_moves_where_the_map_says(resample: TemplateResampling) -> None:
    crop = torch.zeros(1, 3, 112, 112)
    crop[0, :, 60, 40] = 255.0
    moved = resample(crop)[0, 0]
    fit = fit_axis_map(ARCFACE_TEMPLATE, OMZ_128_TEMPLATE)
    y, x = np.mgrid[:128, :128]
    weights = moved.numpy() / moved.sum().item()
    assert (weights * x).sum() == pytest.approx(40 * fit.scale + fit.shift_x, abs=0.5)
    assert (weights * y).sum() == pytest.approx(60 * fit.scale + fit.shift_y, abs=0.5)


def test_ramps_and_constants_stay_what_they_are(resample: TemplateResampling) -> None:
    fit = fit_axis_map(ARCFACE_TEMPLATE, OMZ_128_TEMPLATE)
    ramp = torch.arange(112.0).expand(1, 3, 112, 112)
    expected = (torch.arange(128.0) - fit.shift_x) / fit.scale
    assert torch.allclose(resample(ramp)[0, 0, 5], expected, atol=1e-3)
    assert torch.allclose(resample(torch.full((1, 3, 112, 112), 77.0)), torch.tensor(77.0))


@given(scale=st.floats(0.5, 2), shift=st.floats(-20, 20))
def test_rows_are_weights(scale: float, shift: float) -> None:
    matrix = interpolation_matrix(scale, shift, 30, 40)
    assert np.allclose(matrix.sum(axis=1), 1.0)
    assert (matrix >= 0).all()
    assert ((matrix > 0).sum(axis=1) <= 2).all()


def test_colours_and_rows_are_not_mixed(resample: TemplateResampling) -> None:
    crops = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    changed = crops.clone()
    changed[1] = 0
    changed[0, 2] = 0
    assert torch.equal(resample(changed)[0, :2], resample(crops)[0, :2])
