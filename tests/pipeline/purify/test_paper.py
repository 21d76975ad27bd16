"""The published selector: its size, its gains, and what of the published rules is not kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.purify.fit import FitOptions, FittedPin, fit_pin
from pipeline.purify.paper import MaskMode, PaperSelector, initial_selector, scaled
from pipeline.purify.pin import Pin
from pipeline.purify.selector import Analysis
from pipeline.seams import Purifier
from pipeline.types import ByteArray
from tests.contracts.purifier import PurifierContract, noise_crops

COUNT, CHROMA = 40, 12
TINY = 1 / 32


def last_layer(selector: PaperSelector) -> nn.Linear:
    last = selector.head[-1]
    assert isinstance(last, nn.Linear)
    return last


def tiny(mode: MaskMode = MaskMode.MEAN, contrast: float = 1.0, **options: object) -> PaperSelector:
    """Untrained, but with probabilities that differ: `contrast` multiplies what the face has to say."""
    selector = PaperSelector(COUNT, width=TINY, mode=mode, **options)  # type: ignore[arg-type]
    selector.load_state_dict(initial_selector(COUNT, 0, width=TINY).state_dict())
    last = last_layer(selector)
    with torch.no_grad():
        last.weight *= contrast
        last.bias.copy_(torch.linspace(3, -3, COUNT).roll(5))
    return selector


def undecided(mode: MaskMode = MaskMode.MEAN, **options: object) -> PaperSelector:
    """Probabilities that follow the face alone, so that masks differ between faces."""
    selector = tiny(mode, 100.0, **options)
    nn.init.zeros_(last_layer(selector).bias)
    return selector


def different_crops() -> torch.Tensor:
    """float32 (4, 3, 112, 112): noise, two ramps, stripes."""
    ramp = torch.linspace(0, 255, 112).expand(3, 112, 112)
    stripes = (255.0 * (torch.arange(112) // 14 % 2)).expand(3, 112, 112)
    return torch.stack([noise_crops(1)[0], ramp, ramp.mT, stripes])


def seen(crops: torch.Tensor) -> Analysis:
    """What a selector sees; this one looks at the planes only."""
    count = len(crops)
    return Analysis(crops, crops - 128, torch.zeros(count, COUNT), torch.zeros(count, 2, CHROMA))


@pytest.fixture(scope="module")
def fitted(pictures: list[ByteArray]) -> FittedPin:
    return fit_pin(pictures, FitOptions(COUNT, CHROMA))


@pytest.mark.parametrize("mode", [MaskMode.MEAN, MaskMode.PROBABILITY])
class TestPaperSelector(PurifierContract):
    """Hard masks here are clear-cut: the finite differences of a mask that flips are not its gradient."""

    @pytest.fixture
    def purifier(self, fitted: FittedPin, mode: MaskMode) -> Purifier:
        selector = tiny(mode).requires_grad_(False)  # as in use; only the crops are differentiated
        return Pin("paper@12345678", fitted.mean, fitted.basis, selector, CHROMA)


def test_masks_follow_the_face() -> None:
    masks = undecided()(seen(different_crops())).luma
    assert set(masks.flatten().tolist()) == {0.0, 1.0}
    assert len({tuple(mask.tolist()) for mask in masks}) == 4


def test_colour_differences_share_the_first_gains() -> None:
    gains = undecided()(seen(noise_crops(2)))
    assert torch.equal(gains.chroma, gains.luma[:, None, :CHROMA])
    assert gains.rest is None


def test_a_hard_mask_keeps_what_is_at_least_the_faces_own_mean() -> None:
    faces = seen(noise_crops(3))
    selector = undecided()
    probabilities = selector.probabilities(faces.planes[:, 0])
    for mask, row in zip(selector(faces).luma, probabilities.detach().numpy(), strict=True):
        assert mask.tolist() == (row >= row.mean()).astype(float).tolist()


def test_equal_probabilities_keep_everything() -> None:
    selector = undecided()
    nn.init.zeros_(last_layer(selector).weight)
    assert selector(seen(noise_crops(2))).luma.min() == 1.0


def test_the_mean_of_a_batch_would_let_batch_mates_decide() -> None:
    """The published fixed rule, written out, against ours: the same face among two sets of others."""
    selector = initial_selector(2000, 0, width=TINY)
    noise, ramp, _, stripes = different_crops()
    batches = [torch.stack([noise, mate]) for mate in (ramp, stripes)]
    probabilities = [selector.probabilities(batch[:, 0]).detach() for batch in batches]
    assert torch.equal(probabilities[0][0], probabilities[1][0])
    theirs = [(batch > batch.mean())[0] for batch in probabilities]
    assert not torch.equal(theirs[0], theirs[1]), "the example must show the trap"
    none, nothing = torch.zeros(2, 2000), torch.zeros(2, 2, 0)
    ours = [selector(Analysis(batch, batch, none, nothing)).luma[0] for batch in batches]
    assert torch.equal(ours[0], ours[1])


def test_sampling_draws_from_its_generator_only() -> None:
    generator = torch.Generator().manual_seed(7)
    selector = undecided(MaskMode.SAMPLE, generator=generator)
    before = torch.random.get_rng_state()
    first, second = (selector(seen(noise_crops(2))).luma for _ in range(2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert not torch.equal(first, second), "each call draws anew"
    generator.manual_seed(7)
    assert torch.equal(selector(seen(noise_crops(2))).luma, first)


def test_sampled_masks_are_the_probabilities_on_average() -> None:
    generator = torch.Generator().manual_seed(0)
    selector = PaperSelector(4000, width=TINY, mode=MaskMode.SAMPLE, generator=generator)
    last = last_layer(selector)
    nn.init.zeros_(last.weight)
    last.bias.data = torch.tensor([-100.0, -1.0, 2.0, 100.0]).repeat_interleave(1000)
    crops = noise_crops(1)
    masks = selector(Analysis(crops, crops, torch.zeros(1, 4000), torch.zeros(1, 2, 0))).luma
    assert set(masks.flatten().tolist()) == {0.0, 1.0}
    shares = masks.reshape(4, 1000).mean(1)
    assert shares[[0, 3]].tolist() == [0.0, 1.0]
    assert torch.allclose(shares, torch.sigmoid(torch.tensor([-100.0, -1.0, 2.0, 100.0])), atol=0.05)


@pytest.mark.parametrize("mode", [MaskMode.MEAN, MaskMode.SAMPLE])
def test_a_hard_mask_has_no_gradient_unless_it_is_passed_straight_through(mode: MaskMode) -> None:
    def run(*, straight_through: bool) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(0) if mode is MaskMode.SAMPLE else None
        selector = undecided(mode, generator=generator, straight_through=straight_through)
        crops = noise_crops(2).requires_grad_(True)
        mask = selector(seen(crops)).luma
        total = (mask * torch.linspace(-1, 1, COUNT)).sum() + 0 * crops.sum()
        return mask.detach(), torch.autograd.grad(total, crops)[0]

    (mask, blocked), (same_mask, passed) = run(straight_through=False), run(straight_through=True)
    assert torch.equal(mask, same_mask)
    assert np.count_nonzero(blocked.numpy()) == 0
    crops = noise_crops(2).requires_grad_(True)
    smooth = (undecided(MaskMode.PROBABILITY)(seen(crops)).luma * torch.linspace(-1, 1, COUNT)).sum()
    assert torch.equal(passed, torch.autograd.grad(smooth, crops)[0]), "that of the probabilities"
    assert np.count_nonzero(passed.numpy()) > 0


def test_the_published_size() -> None:
    """Multiplications and additions of every convolution and linear layer, counted on shapes alone."""
    macs: dict[str, int] = {}

    def count(name: str, layer: nn.Module, given: torch.Tensor, result: torch.Tensor) -> None:
        if isinstance(layer, nn.ConvTranspose2d):
            each, outputs = given.numel(), layer.weight[0].numel()
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            each, outputs = result.numel(), layer.weight[0].numel()
        else:
            return
        macs[name] = macs.get(name, 0) + each * outputs

    with torch.device("meta"):
        selector = PaperSelector()
        for name, layer in selector.named_modules():
            part = name.partition(".")[0]
            layer.register_forward_hook(
                lambda layer, given, result, part=part: count(part, layer, given[0], result)
            )
        probabilities = selector.probabilities(torch.zeros(1, 112, 112))
    assert probabilities.shape == (1, 2500)
    weights = sum(tensor.numel() for tensor in selector.parameters())
    assert weights == pytest.approx(27.9e6, rel=0.01)
    assert macs["denoiser"] == pytest.approx(3.26e9, rel=0.01), "two passes"
    assert macs["encoder"] + macs["head"] == pytest.approx(2.64e9, rel=0.01)


def test_the_encoder_ends_with_7_by_7_and_the_denoiser_keeps_the_size() -> None:
    selector = initial_selector(3, 0, width=TINY)
    pictures = scaled(noise_crops(2)[:, :1])
    once, twice = selector.denoiser(pictures)
    assert once.shape == twice.shape == pictures.shape
    assert torch.equal(selector.denoiser(once)[0], twice), "the same weights both times"
    assert twice.abs().max() <= 1
    assert selector.encoder(twice).shape == (2, 16, 7, 7)


def test_scaled_pictures_are_those_of_the_published_code() -> None:
    assert scaled(torch.tensor([0.0, 127.5, 255.0])).tolist() == [-1.0, 0.0, 1.0]


def test_initial_weights_depend_on_the_seed_alone() -> None:
    before = torch.random.get_rng_state()
    one, same, other = (initial_selector(COUNT, seed, width=TINY).state_dict() for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["head.1.weight"], other["head.1.weight"])


def test_impossible_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="a generator"):
        PaperSelector(3, width=TINY, mode=MaskMode.SAMPLE)
    with pytest.raises(ValueError, match="no generator"):
        PaperSelector(3, width=TINY, generator=torch.Generator())
    with pytest.raises(ValueError, match="count"):
        PaperSelector(0, width=TINY)
    with pytest.raises(ValueError, match="3 components"):
        initial_selector(3, 0, width=TINY)(seen(noise_crops(1)))
