"""What an attacker maximises: cosine similarity to templates, up or down, through a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from pipeline.robustness.threat import Goal

Network = Callable[[torch.Tensor], torch.Tensor]
"""float32 (N, 3, 112, 112) RGB 0..255 -> float32 (N, D), unit norm; gradients flow."""

Penalty = Callable[[torch.Tensor], torch.Tensor]
"""float32 (N, 3, 112, 112) -> float32 (N,): what the attacker wants small besides (attack evidence, say)."""


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """One attacker's aim for a batch of N crops.

    Attributes:
        network: What the attacker differentiates: the whole of the defended recogniser (T4), or as
            much of it as is known.
        templates: float32 (N, D) for `DODGE` and `IMPERSONATE`: the template that row n must not, or
            must, match. float32 (M, D) for `ANYONE`: the gallery.
        goal: Which of them.
        penalty: Subtracted from the loss.
    """

    network: Network
    templates: torch.Tensor
    goal: Goal
    penalty: Penalty | None = None

    def similarity(self, crops: torch.Tensor) -> torch.Tensor:
        """float32 (N,): cosine to the template (`ANYONE`: to the nearest of the gallery), with gradient."""
        vectors = self.network(crops)
        if self.goal is Goal.ANYONE:
            return (vectors @ self.templates.T).amax(dim=1)
        return (vectors * self.templates).sum(dim=1)

    def loss(self, crops: torch.Tensor) -> torch.Tensor:
        """float32 (N,), what the attacker makes large: the similarity, or its negative for dodging."""
        similarity = self.similarity(crops)
        loss = -similarity if self.goal is Goal.DODGE else similarity
        return loss if self.penalty is None else loss - self.penalty(crops)

    def gradient(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss float32 (N,) and its gradient (N, 3, 112, 112); rows do not influence each other."""
        with torch.enable_grad():
            leaf = crops.detach().requires_grad_(True)
            loss = self.loss(leaf)
            (gradient,) = torch.autograd.grad(loss.sum(), leaf)
        return loss.detach(), gradient

    def rows(self, index: torch.Tensor | slice) -> Objective:
        """The same aim for some of the crops."""
        return self if self.goal is Goal.ANYONE else replace(self, templates=self.templates[index])

    def succeeded(self, similarity: torch.Tensor, threshold: float) -> torch.Tensor:
        """bool (N,): whether similarities of this size are what the attacker wants."""
        return similarity < threshold if self.goal is Goal.DODGE else similarity >= threshold
