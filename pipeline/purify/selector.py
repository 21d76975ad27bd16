"""Which components of a face are kept, and how much of each."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn


class Selector(Protocol):
    """Gains per face. Deterministic; a row's gains depend on that row alone; gradients flow.

    Must not sample, nor look at statistics of a batch.
    """

    def __call__(self, coefficients: torch.Tensor) -> torch.Tensor:
        """float32 (N, K), luma coefficients in the order of the basis -> gains (N, K) in 0..1."""
        ...


class TopK(nn.Module):
    """The same choice for every face: the first `keep` components, which explain faces the most.

    Args:
        count: K.
        keep: How many are kept, 1..K.
    """

    gains: torch.Tensor

    def __init__(self, count: int, keep: int) -> None:
        super().__init__()
        if not 1 <= keep <= count:
            raise ValueError(f"keep must be 1..{count}, got {keep}")
        self.register_buffer("gains", (torch.arange(count) < keep).float())

    def forward(self, coefficients: torch.Tensor) -> torch.Tensor:
        return self.gains.expand(coefficients.shape)
