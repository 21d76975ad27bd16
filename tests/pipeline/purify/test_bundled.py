"""The purifier that ships with the program keeps the contract, and its card says what it may be used for."""

from __future__ import annotations

import pytest

from pipeline.models import Catalogue, ModelKind, VerifiedModel
from pipeline.purify.load import load_purifier
from pipeline.seams import Purifier
from tests.contracts.purifier import PurifierContract, noise_crops
from training import pinwatch_pin


def bundled() -> VerifiedModel:
    return Catalogue.load([]).open("pinwatch-pin", ModelKind.PURIFIER)


class TestBundled(PurifierContract):
    @pytest.fixture
    def purifier(self) -> Purifier:
        return load_purifier(bundled())


def test_it_is_small_and_for_evaluation() -> None:
    model = bundled()
    assert model.main_path.stat().st_size < 1_000_000
    assert "evaluation" in model.card.licence
    assert (model.main_path.parent / "LICENCE.md").is_file()


def test_its_card_names_the_command_that_made_it() -> None:
    """It was trained through two embedders, which `pinwatch pin train` does not do."""
    command = bundled().card.source.partition("`")[2].rstrip("`")
    arguments = command.removeprefix("python -m training.pinwatch_pin ").split()
    given = pinwatch_pin.parse([*arguments, "--faces", "faces.npz", "--models", "DIR", "--out", "DIR"])
    assert pinwatch_pin.command_of(given) == command
    assert all(name in bundled().card.description for name in given.embedder)
    assert f"{given.steps} steps" in bundled().card.description


def test_noise_is_taken_away_where_a_smooth_picture_is_left_alone() -> None:
    purifier = load_purifier(bundled())
    smooth = noise_crops(1).mean((2, 3), keepdim=True).expand(1, 3, 112, 112).contiguous()
    noisy = purifier(noise_crops(1))
    assert noisy.std() < 0.5 * noise_crops(1).std()
    assert (purifier(smooth) - smooth).abs().mean() < 20.0


@pytest.mark.parametrize("name", ["face-reidentification-retail-0095", "mobilefacenet"])
def test_the_embedders_have_thresholds_of_their_own_behind_it(name: str) -> None:
    catalogue = Catalogue.load([])
    found = catalogue.card(name, ModelKind.EMBEDDER).thresholds_for(bundled().card)
    assert found is not None
    assert found.purifier == "pinwatch-pin"
    assert found.evidence is not None
