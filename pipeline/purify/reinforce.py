"""Trains :class:`~pipeline.purify.paper.PaperSelector` the published way: REINFORCE on sampled masks.

Ren, Zhu, Wang, Sun, IEEE TIFS 2022, and the authors' code, from which the numbers come. Their code
for pretraining the denoising autoencoder is not published; that stage's loss, optimiser and length
are ours.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from pipeline.errors import UsageError
from pipeline.purify.basis import Basis
from pipeline.purify.checkpoint import load_checkpoint, save_checkpoint
from pipeline.purify.paper import PaperSelector, scaled
from pipeline.purify.policy import mask_loss, noised, policy_loss, sample_masks


@dataclass(frozen=True, slots=True)
class ReinforceOptions:
    """The published numbers, unless said otherwise.

    Attributes:
        penalty: Lambda, of each component kept. At 0.015, as published, only the first few eigenfaces
            are worth their price; about 1e-6 keeps a thousand (see
            :func:`pipeline.purify.policy.optimal_kept`).
        samples: Masks drawn for each picture and step.
        batch: Pictures a step.
        epochs: Of the selection.
        learning_rate: Of stochastic gradient descent.
        momentum: Of the same.
        decay: Factor on the learning rate, once every `decay_epochs`.
        decay_epochs: See `decay`.
        noise_scale: Norm of a batch's Gaussian noise, as a share of the norm of the batch.
        denoise_epochs: Of the autoencoder, which comes first and is then left alone (ours).
        denoise_rate: Learning rate of the autoencoder's optimiser, Adam (ours).
        seed: Of the order of pictures, of noise and of masks.
        exact: Minimise the mean over all masks itself, which the loss allows to write down, and not
            REINFORCE's estimate of it from `samples` masks; by Adam (ours). It says what the published
            networks can do where the estimate is too noisy for them to learn.
    """

    penalty: float = 0.015
    samples: int = 30
    batch: int = 20
    epochs: int = 200
    learning_rate: float = 1e-2
    momentum: float = 0.9
    decay: float = 0.5
    decay_epochs: int = 20
    noise_scale: float = 0.04
    denoise_epochs: int = 20
    denoise_rate: float = 1e-3
    seed: int = 0
    exact: bool = False

    def __post_init__(self) -> None:
        for name in ("samples", "batch", "decay_epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("penalty", "epochs", "noise_scale", "denoise_epochs", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Progress:
    """One step done.

    Attributes:
        stage: ``denoise`` or ``select``.
        step: From 1, counted over the stage, what came before a resumption included.
        steps: How many the stage has.
        loss: ``denoise``: mean squared error, summed over both passes; ``select``: mean over pictures
            and masks.
        kept: ``select``: expected number of components, mean over pictures; else 0.
    """

    stage: str
    step: int
    steps: int
    loss: float
    kept: float


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    minimise: torch.Tensor
    loss: torch.Tensor
    kept: torch.Tensor


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """What is trained, and what one batch of clean pictures, -1..1, says about it."""

    name: str
    epochs: int
    optimiser: torch.optim.Optimizer
    rate: Callable[[int], float]
    measure: Callable[[torch.Tensor, torch.Generator], _Measured]


def train_paper(
    selector: PaperSelector,
    luma: torch.Tensor,
    mean: torch.Tensor,
    basis: Basis,
    options: ReinforceOptions,
    *,
    checkpoint: Path | None = None,
) -> Iterator[Progress]:
    """Train `selector` in place: first its autoencoder, then encoder and head. Yields after each step.

    Random numbers depend on seed, stage and epoch alone, so that on a CPU a training that goes on from
    its checkpoint ends with the same bits as one that never stopped.

    Args:
        selector: On a CPU or GPU; `basis` on the same.
        luma: uint8 or float32 (N, 112, 112), 0..255, the faces' luma planes. They are
            moved to the selector's device as a whole.
        mean: float32 (112, 112), 0..255, the mean luma that the basis was fitted around.
        basis: Of as many components as the selector has probabilities.
        options: See there.
        checkpoint: Written after each epoch. If it exists already, training goes on from there.

    Raises:
        UsageError: the checkpoint is damaged, or of a training with other options or pictures; or, while
            training, the loss is no longer finite.
        StorageError: it cannot be written (when an epoch ends).
        ValueError: basis and selector do not go together, or there are no pictures.
    """
    if basis.count != selector.count or not len(luma):
        raise ValueError(f"{len(luma)} pictures, {basis.count} components, {selector.count} probabilities")
    device = next(selector.parameters()).device
    mean_face = scaled(mean.to(device))
    stages = (_denoising(selector, options), _selection(selector, basis, mean_face, options))
    made_with = _made_with(selector, luma, options)
    start = (0, 0)
    if checkpoint is not None and (state := load_checkpoint(checkpoint, made_with)) is not None:
        start = (state["stage"], state["epoch"])
        selector.load_state_dict(state["selector"])
        stages[start[0]].optimiser.load_state_dict(state["optimiser"])

    def keep(stage: int, epoch: int) -> None:
        if checkpoint is not None:
            weights = {"selector": selector.state_dict(), "optimiser": stages[stage].optimiser.state_dict()}
            save_checkpoint(checkpoint, {"stage": stage, "epoch": epoch, **weights}, made_with)

    return _run(stages, start, luma.to(device), options, keep)


def _made_with(selector: PaperSelector, luma: torch.Tensor, options: ReinforceOptions) -> dict[str, object]:
    made_with: dict[str, object] = asdict(options)
    del made_with["epochs"]  # more of them may be asked for later
    weights = sum(tensor.numel() for tensor in selector.parameters())
    pictures = hashlib.sha256(luma.cpu().numpy().tobytes()).hexdigest()[:12]
    return {**made_with, "pictures": len(luma), "checksum of the pictures": pictures, "weights": weights}


def _run(
    stages: tuple[_Stage, ...],
    start: tuple[int, int],
    luma: torch.Tensor,
    options: ReinforceOptions,
    keep: Callable[[int, int], None],
) -> Iterator[Progress]:
    generator = torch.Generator(luma.device)
    for index, stage in enumerate(stages):
        for epoch in range(stage.epochs):
            if (index, epoch) >= start:
                # Anew for each epoch, so that a checkpoint need not hold the generator's state.
                generator.manual_seed(((2 * options.seed + index) << 20) + epoch)
                yield from _epoch(stage, epoch, luma, options.batch, generator)
                keep(index, epoch + 1)


def _denoising(selector: PaperSelector, options: ReinforceOptions) -> _Stage:
    def measure(clean: torch.Tensor, generator: torch.Generator) -> _Measured:
        passes = selector.denoiser(noised(clean, options.noise_scale, generator).unsqueeze(1))
        loss = sum(((one.squeeze(1) - clean).square().mean() for one in passes), clean.new_zeros(()))
        return _Measured(loss, loss, clean.new_zeros(()))

    optimiser = torch.optim.Adam(selector.denoiser.parameters(), options.denoise_rate)
    return _Stage("denoise", options.denoise_epochs, optimiser, lambda _: options.denoise_rate, measure)


def _selection(
    selector: PaperSelector, basis: Basis, mean: torch.Tensor, options: ReinforceOptions
) -> _Stage:
    def measure(clean: torch.Tensor, generator: torch.Generator) -> _Measured:
        noisy = noised(clean, options.noise_scale, generator)
        with torch.no_grad():
            _, denoised = selector.denoiser(noisy.unsqueeze(1))
            cost = mask_loss(basis, mean, clean, noisy, options.penalty)
        logits = selector.head(selector.encoder(denoised))
        if options.exact:
            probabilities = torch.sigmoid(logits)
            expected = cost.expected(probabilities).mean()
            return _Measured(expected, expected, probabilities.sum(dim=1).mean())
        masks = sample_masks(logits, options.samples, generator)
        losses = cost.of(masks)
        kept = torch.sigmoid(logits).sum(dim=1).mean()
        return _Measured(policy_loss(logits, masks, losses), losses.mean(), kept)

    def rate(epoch: int) -> float:
        return options.learning_rate * options.decay ** (epoch // options.decay_epochs)

    trained = [*selector.encoder.parameters(), *selector.head.parameters()]
    optimiser: torch.optim.Optimizer = (
        torch.optim.Adam(trained, options.learning_rate)
        if options.exact
        else torch.optim.SGD(trained, options.learning_rate, options.momentum)
    )
    return _Stage("select", options.epochs, optimiser, rate, measure)


def _epoch(
    stage: _Stage, epoch: int, luma: torch.Tensor, batch: int, generator: torch.Generator
) -> Iterator[Progress]:
    for group in stage.optimiser.param_groups:
        group["lr"] = stage.rate(epoch)
    order = torch.randperm(len(luma), generator=generator, device=luma.device)
    batches = torch.split(order, batch)
    for index, rows in enumerate(batches):
        measured = stage.measure(scaled(luma[rows].float()), generator)
        stage.optimiser.zero_grad()
        measured.minimise.backward()  # type: ignore[no-untyped-call]
        stage.optimiser.step()
        loss, kept = float(measured.loss.detach()), float(measured.kept.detach())
        # Not `loss`, which stays finite: odds that are no numbers draw empty masks.
        if not math.isfinite(float(measured.minimise.detach())):
            raise UsageError(f"the training diverged in epoch {epoch + 1}: choose a smaller --learning-rate")
        step, steps = epoch * len(batches) + index + 1, stage.epochs * len(batches)
        yield Progress(stage.name, step, steps, loss, kept)
