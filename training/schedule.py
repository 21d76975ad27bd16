"""What recipes share from step to step: the learning rate, and the average of the weights."""

from __future__ import annotations

import torch
from torch import nn

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


def average_into(averaged: dict[str, torch.Tensor], network: nn.Module, step: int, ema: float) -> None:
    """Move `averaged` towards the state of `network`; in the first steps by more than `1 - ema`."""
    share = min(ema, (1 + step) / (10 + step))
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            averaged[name].lerp_(value, 1.0 - share)
        else:
            averaged[name].copy_(value)
