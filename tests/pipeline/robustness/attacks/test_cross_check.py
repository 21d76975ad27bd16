"""The same attacks by the Adversarial Robustness Toolbox: equal start, step and budget, equal outcome.

Steps are whole numbers there, so that its iterates, which it does not round, are pictures as ours are.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from art.attacks.evasion import (
    AutoProjectedGradientDescent,
    FastGradientMethod,
    MomentumIterativeMethod,
    ProjectedGradientDescentPyTorch,
)
from art.estimators.classification import PyTorchClassifier
from torch import nn

from pipeline.robustness.attacks.apgd import Apgd
from pipeline.robustness.attacks.base import Best
from pipeline.robustness.attacks.gradient import Fgsm, Pgd
from pipeline.robustness.attacks.momentum import MomentumIterative
from pipeline.robustness.objective import Objective
from pipeline.robustness.threat import Goal
from tests.contracts.attack import random_crops, run, toy_objective

ROWS = 3
EPS = 8


class Similarities(nn.Module):
    """The objective as a classifier: crops -> similarity to each row's template (N, N)."""

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self._objective = objective

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        similarities: torch.Tensor = self._objective.network(crops) @ self._objective.templates.T
        return similarities


class OwnSimilarity(nn.Module):
    """What dodging makes large, or impersonation: the similarity in the labelled column, with a sign."""

    def __init__(self, sign: float) -> None:
        super().__init__()
        self.reduction = "mean"
        self._sign = sign

    def forward(self, similarities: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        columns = labels.argmax(dim=1) if labels.ndim == 2 else labels
        own = self._sign * similarities.gather(1, columns.long().unsqueeze(1)).squeeze(1)
        return own if self.reduction == "none" else own.mean()


def estimator(objective: Objective) -> PyTorchClassifier:
    sign = -1.0 if objective.goal is Goal.DODGE else 1.0
    return PyTorchClassifier(
        Similarities(objective),
        OwnSimilarity(sign),
        input_shape=(3, 112, 112),
        nb_classes=ROWS,
        clip_values=(0.0, 255.0),
        device_type="cpu",
    )


def labels() -> np.ndarray:
    return np.eye(ROWS, dtype=np.float32)


def differing(ours: torch.Tensor, theirs: np.ndarray) -> float:
    """Share of values that are not the same. Gradients near 0 may have either sign."""
    return float((ours - torch.from_numpy(theirs)).abs().gt(1e-3).float().mean())


@pytest.fixture(params=[Goal.DODGE, Goal.IMPERSONATE])
def objective(request: pytest.FixtureRequest) -> Objective:
    return toy_objective(request.param, ROWS)


def test_fgsm(objective: Objective) -> None:
    crops = random_crops(ROWS)
    theirs = FastGradientMethod(estimator(objective), eps=EPS, batch_size=ROWS).generate(
        crops.numpy(), labels()
    )
    ours = run(Fgsm(), crops, objective, EPS)
    assert differing(ours, theirs) < 0.001


def test_pgd(objective: Objective) -> None:
    """Theirs ends on the last iterate, ours on the best: so ours is the best of theirs of 1, 2, ... steps."""
    crops, steps = random_crops(ROWS), 5
    theirs = Best(crops)
    for count in range(1, steps + 1):
        method = ProjectedGradientDescentPyTorch(
            estimator(objective), eps=EPS, eps_step=2, max_iter=count, batch_size=ROWS, verbose=False
        )
        last = torch.from_numpy(method.generate(crops.numpy(), labels()))
        theirs.offer(last, objective.loss(last))
    ours = run(Pgd(steps, step_share=2 / EPS, random_start=False), crops, objective, EPS)
    assert differing(ours, theirs.pictures.numpy()) < 0.005
    assert torch.allclose(objective.loss(ours), theirs.loss, atol=0.005)


def test_pgd_with_momentum(objective: Objective) -> None:
    crops = random_crops(ROWS)
    method = MomentumIterativeMethod(
        estimator(objective), eps=EPS, eps_step=2, decay=0.8, max_iter=4, batch_size=ROWS, verbose=False
    )
    theirs = method.generate(crops.numpy(), labels())
    ours = run(MomentumIterative(4, decay=0.8), crops, objective, EPS)
    assert differing(ours, theirs) < 0.005


def test_auto_pgd_climbs_as_high(objective: Objective) -> None:
    """Starts differ, and theirs is not rounded and counts rises in its own way: near equal, not equal."""
    crops = random_crops(ROWS)
    np.random.seed(0)
    method = AutoProjectedGradientDescent(
        estimator(objective), eps=4, eps_step=8, max_iter=20, batch_size=ROWS, loss_type=None, verbose=False
    )
    theirs = torch.from_numpy(method.generate(crops.numpy(), labels()))
    ours = run(Apgd(20), crops, objective, 4.0)
    assert objective.loss(ours).mean() >= objective.loss(theirs).mean() - 0.05
