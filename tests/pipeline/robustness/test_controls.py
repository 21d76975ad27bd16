"""Purifiers without training, by name: what they keep, and that a fitted basis is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.errors import UsageError
from pipeline.purify.pin import NoPurification, Pin
from pipeline.robustness.controls import CONTROLS, SURROGATES, Controls
from pipeline.robustness.faces import FacePack, encode_crop, save_faces
from tests.toys import toy_photo


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> FacePack:
    """Forty people who train: enough for the bases that need no more faces than components."""
    crops = [(f"P{person}_0001", encode_crop(toy_photo(person, 1))) for person in range(40)]
    return save_faces(tmp_path_factory.mktemp("many") / "faces.npz", crops, [])


def test_no_defence_is_one_of_them(many: FacePack) -> None:
    assert isinstance(Controls(many).get("none"), NoPurification)
    assert set(SURROGATES) < set(CONTROLS)


@pytest.mark.parametrize("name", ["2dpca-800", "dct-300"])
def test_it_keeps_as_many_components_as_its_name_says(many: FacePack, name: str) -> None:
    pin = Controls(many).get(name)
    assert isinstance(pin, Pin)
    gains = pin.gains(pin.analyse(many.batch([0])))
    assert gains.luma.sum() == int(name.rpartition("-")[2])


def test_a_basis_that_was_kept_is_the_same(many: FacePack, tmp_path: Path) -> None:
    first = Controls(many, tmp_path).get("dct-300")
    files = sorted(tmp_path.iterdir())
    again = Controls(many, tmp_path).get("dct-300")
    assert sorted(tmp_path.iterdir()) == files
    assert torch.equal(first(many.batch([0])), again(many.batch([0])))


def test_a_wrong_name_lists_the_right_ones(many: FacePack) -> None:
    with pytest.raises(UsageError, match="eigen-800"):
        Controls(many).get("eigen-8")
