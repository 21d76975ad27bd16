"""A short training learns, is the same each time, and goes on where it stopped."""

from __future__ import annotations

import itertools
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import UsageError
from pipeline.purify.basis import EigenBasis
from pipeline.purify.fit import BasisKind, FitOptions, fit_pin
from pipeline.purify.paper import PaperSelector, initial_selector, scaled
from pipeline.purify.policy import mask_loss, noised
from pipeline.purify.reinforce import Progress, ReinforceOptions, train_paper
from pipeline.types import ByteArray

COUNT = 20
BRIEF = ReinforceOptions(penalty=1e-6, samples=8, batch=6, epochs=2, denoise_epochs=2, decay_epochs=1)
LEARNING = replace(BRIEF, samples=30, denoise_epochs=0, decay_epochs=20)


class Faces:
    """Twenty-four pictures' green planes and the eigenfaces fitted to them."""

    def __init__(self, pictures: list[ByteArray]) -> None:
        fitted = fit_pin(pictures[:24], FitOptions(COUNT, 1, BasisKind.EIGEN))
        assert isinstance(fitted.basis, EigenBasis)
        self.basis, self.mean = fitted.basis, fitted.mean[0]
        self.luma = torch.from_numpy(np.stack(pictures[:24])[..., 1].copy())

    def train(
        self, options: ReinforceOptions, checkpoint: Path | None = None, stop_after: int | None = None
    ) -> tuple[PaperSelector, list[Progress]]:
        selector = initial_selector(COUNT, 0, width=1 / 32)
        steps = train_paper(selector, self.luma, self.mean, self.basis, options, checkpoint=checkpoint)
        return selector, list(itertools.islice(steps, stop_after))

    def expected(self, selector: PaperSelector, penalty: float) -> tuple[float, float]:
        """Loss and number kept, both expected, on noise that training did not see."""
        clean = scaled(self.luma.float())
        noisy = noised(clean, 0.04, torch.Generator().manual_seed(99))
        with torch.no_grad():
            probabilities = torch.sigmoid(selector.logits(noisy))
            cost = mask_loss(self.basis, scaled(self.mean), clean, noisy, penalty)
        return float(cost.expected(probabilities).mean()), float(probabilities.sum(1).mean())


@pytest.fixture(scope="module")
def faces(pictures: list[ByteArray]) -> Faces:
    return Faces(pictures)


@pytest.fixture(scope="module")
def whole(faces: Faces) -> tuple[PaperSelector, list[Progress]]:
    """A training that never stopped."""
    return faces.train(BRIEF)


def same_weights(one: PaperSelector, other: PaperSelector) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(first, second) for first, second in pairs)


def test_a_large_penalty_drives_the_number_kept_down(faces: Faces) -> None:
    options = replace(LEARNING, penalty=0.015, epochs=4, learning_rate=0.3)
    loss_before, kept_before = faces.expected(initial_selector(COUNT, 0, width=1 / 32), options.penalty)
    selector, _ = faces.train(options)
    loss, kept = faces.expected(selector, options.penalty)
    assert loss < 0.5 * loss_before
    assert kept < 0.5 * kept_before


def test_without_a_penalty_what_explains_faces_is_kept(faces: Faces) -> None:
    options = replace(LEARNING, penalty=0.0, epochs=6, learning_rate=0.5)
    loss_before, kept_before = faces.expected(initial_selector(COUNT, 0, width=1 / 32), options.penalty)
    selector, _ = faces.train(options)
    loss, kept = faces.expected(selector, options.penalty)
    assert loss < 0.8 * loss_before
    assert kept > kept_before


def test_the_exact_gradient_learns_what_sampling_estimates(faces: Faces) -> None:
    options = replace(LEARNING, epochs=6, learning_rate=3e-3, exact=True)
    loss_before, _ = faces.expected(initial_selector(COUNT, 0, width=1 / 32), options.penalty)
    selector, _ = faces.train(options)
    loss, _ = faces.expected(selector, options.penalty)
    sampled, _ = faces.expected(faces.train(replace(options, exact=False))[0], options.penalty)
    assert loss < 0.8 * loss_before
    assert loss < sampled


def test_the_denoiser_learns(faces: Faces) -> None:
    selector = initial_selector(COUNT, 0, width=1 / 16)
    options = replace(BRIEF, epochs=0, denoise_epochs=5, denoise_rate=0.01)
    steps = list(train_paper(selector, faces.luma, faces.mean, faces.basis, options))
    of_grey = 2 * float(scaled(faces.luma.float()).square().mean())
    assert np.mean([step.loss for step in steps[-4:]]) < 0.6 * of_grey < steps[0].loss


def test_the_denoiser_stays_once_the_selection_begins(
    faces: Faces, whole: tuple[PaperSelector, list[Progress]]
) -> None:
    denoised, steps = faces.train(replace(BRIEF, epochs=0))
    assert {step.stage for step in steps} == {"denoise"}
    for name, weight in whole[0].state_dict().items():
        assert torch.equal(weight, denoised.state_dict()[name]) == name.startswith("denoiser"), name


def test_a_training_that_diverges_says_so(faces: Faces) -> None:
    with pytest.raises(UsageError, match="smaller --learning-rate"):
        faces.train(replace(BRIEF, denoise_epochs=0, learning_rate=1e30))


def test_progress_counts_every_step_of_both_stages(whole: tuple[PaperSelector, list[Progress]]) -> None:
    _, steps = whole
    assert [(step.stage, step.step, step.steps) for step in steps] == [
        (stage, number, 8) for stage in ("denoise", "select") for number in range(1, 9)
    ]
    assert all(step.kept == 0 for step in steps[:8])
    assert all(0 < step.kept < COUNT for step in steps[8:])


def test_training_depends_on_the_seed_alone(
    faces: Faces, whole: tuple[PaperSelector, list[Progress]]
) -> None:
    one, _ = whole
    torch.manual_seed(6)
    before = torch.random.get_rng_state()
    same, _ = faces.train(BRIEF)
    assert torch.equal(before, torch.random.get_rng_state())
    other, _ = faces.train(replace(BRIEF, seed=1))
    assert same_weights(one, same)
    assert not same_weights(one, other)


@pytest.mark.parametrize("stop_after", [3, 6, 8, 14])
def test_an_interrupted_training_ends_with_the_same_bits(
    faces: Faces, whole: tuple[PaperSelector, list[Progress]], tmp_path: Path, stop_after: int
) -> None:
    """Before the first checkpoint, within either stage, between them, and when all is done."""
    never_stopped, all_steps = whole
    checkpoint = tmp_path / "new" / "paper.checkpoint"
    faces.train(BRIEF, checkpoint, stop_after)
    resumed, steps = faces.train(BRIEF, checkpoint)
    assert same_weights(never_stopped, resumed)
    assert steps == all_steps[-len(steps) :]
    assert len(steps) == 16 - 4 * ((stop_after - 1) // 4), "an epoch is done again, no more"


def test_a_finished_training_can_be_given_more_epochs(faces: Faces, tmp_path: Path) -> None:
    checkpoint = tmp_path / "paper.checkpoint"
    faces.train(BRIEF, checkpoint)
    longer, steps = faces.train(replace(BRIEF, epochs=3), checkpoint)
    whole, _ = faces.train(replace(BRIEF, epochs=3))
    assert len(steps) == 4
    assert same_weights(longer, whole)


def test_another_training_does_not_go_on_from_it(faces: Faces, tmp_path: Path) -> None:
    checkpoint = tmp_path / "paper.checkpoint"
    faces.train(BRIEF, checkpoint)
    with pytest.raises(UsageError, match=r"penalty 0\.5 \(was 1e-06\)"):
        faces.train(replace(BRIEF, penalty=0.5), checkpoint)
    tiny, wider = (initial_selector(COUNT, 0, width=width) for width in (1 / 32, 1 / 16))
    with pytest.raises(UsageError, match="weights"):
        train_paper(wider, faces.luma, faces.mean, faces.basis, BRIEF, checkpoint=checkpoint)
    with pytest.raises(UsageError, match="pictures 23"):
        train_paper(tiny, faces.luma[1:], faces.mean, faces.basis, BRIEF, checkpoint=checkpoint)
    with pytest.raises(UsageError, match="checksum of the pictures"):
        train_paper(tiny, faces.luma.flip(0), faces.mean, faces.basis, BRIEF, checkpoint=checkpoint)


def test_what_does_not_go_together_is_refused(faces: Faces) -> None:
    selector = initial_selector(COUNT, 0, width=1 / 32)
    with pytest.raises(ValueError, match="19 components"):
        train_paper(selector, faces.luma, faces.mean, faces.basis.truncated(19), BRIEF)
    with pytest.raises(ValueError, match="0 pictures"):
        train_paper(selector, faces.luma[:0], faces.mean, faces.basis, BRIEF)


@pytest.mark.parametrize(
    "name", ["samples", "batch", "decay_epochs", "penalty", "epochs", "noise_scale", "seed"]
)
def test_impossible_options_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        ReinforceOptions(**{**asdict(BRIEF), name: -1})
