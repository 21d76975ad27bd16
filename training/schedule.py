"""What recipes share from step to step: learning rate, averaged weights, reports, checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from pipeline.purify.checkpoint import load_checkpoint, save_checkpoint

Batch = TypeVar("Batch")

_LARGEST_GRADIENT = 5.0
_WARM_STEPS = 200
_FALL_SHARE = 0.3


def warm_stay_fall(step: int, steps: int, peak: float) -> float:
    """Learning rate of a step: up to `peak` in 200 steps, there for long, to nothing in the last part.

    A longer training begins as a shorter one does (Hu et al., MiniCPM, 2024).
    """
    return peak * min(1.0, (step + 1) / _WARM_STEPS, (steps - step) / (_FALL_SHARE * steps))


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Of all groups."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Matrices and filters decay; biases and what normalises do not."""
    weights = [each for each in network.parameters() if each.ndim > 1]
    others = [each for each in network.parameters() if each.ndim <= 1]
    return [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


class Learner:
    """A network in training: what moves it, how many steps it took, the average of its weights.

    Args:
        student: Trained in place.
        optimiser: Of its parameters.
        ema: Of the averaged weights, per step; reached gradually.
        checkpoint: Where the state is kept and taken from, ``None`` for nowhere.
        made_with: What must be equal for a training to go on.

    Raises:
        UsageError: the checkpoint is damaged, or of a training with something else.
    """

    def __init__(
        self,
        student: nn.Module,
        optimiser: torch.optim.Optimizer,
        *,
        ema: float,
        checkpoint: Path | None,
        made_with: Mapping[str, Any],
    ) -> None:
        self._student, self._ema = student, ema
        self._checkpoint, self._made_with = checkpoint, made_with
        self.optimiser = optimiser
        self.step = 0
        self.averaged = {name: value.clone() for name, value in student.state_dict().items()}
        self.resumed = load_checkpoint(checkpoint, made_with) if checkpoint else None
        if self.resumed is not None:
            self.step = int(self.resumed["step"])
            student.load_state_dict(self.resumed["student"])
            optimiser.load_state_dict(self.resumed["optimiser"])
            for name, value in self.averaged.items():
                value.copy_(self.resumed["averaged"][name])

    def advance(self) -> None:
        """A step along the gradients that are there."""
        nn.utils.clip_grad_norm_(self._student.parameters(), _LARGEST_GRADIENT)
        self.optimiser.step()
        self.step += 1
        share = min(self._ema, (1 + self.step) / (10 + self.step))
        for name, value in self._student.state_dict().items():
            if value.is_floating_point():
                self.averaged[name].lerp_(value, 1.0 - share)
            else:
                self.averaged[name].copy_(value)

    def keep(self, **more: object) -> None:
        """Write the checkpoint now, with whatever else is to be found in `resumed`."""
        if self._checkpoint is not None:
            state = {
                "step": self.step,
                "student": self._student.state_dict(),
                "averaged": self.averaged,
                "optimiser": self.optimiser.state_dict(),
            }
            save_checkpoint(self._checkpoint, {**state, **more}, self._made_with)


def learn(
    batches: Iterable[Batch],
    train_step: Callable[[Batch], torch.Tensor],
    learner: Learner,
    keep: Callable[[], None],
    *,
    steps: int,
    report_every: int,
    keep_every: int,
) -> Iterator[list[float]]:
    """Train on every batch; yields the means of what steps measure, since the last time.

    Args:
        batches: As many as there are steps left.
        train_step: Advances `learner`; gives float (K,), what it measured.
        learner: Counts the steps.
        keep: Writes the checkpoint; called every `keep_every` steps and at the end.
        steps: How many there are in all.
        report_every: Steps between two yields.
        keep_every: See `keep`.
    """
    measured: list[torch.Tensor] = []
    for batch in batches:
        measured.append(train_step(batch).cpu())
        if learner.step % report_every == 0:
            yield (torch.stack(measured).sum(dim=0) / report_every).tolist()
            measured.clear()
        if learner.step % keep_every == 0 or learner.step == steps:
            keep()
