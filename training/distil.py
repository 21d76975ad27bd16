"""Trains the embedder that ships with Pinwatch, from nothing, to say what several teachers say.

    python -m training.embedder --help

Loss, with x a face (:mod:`training.content`), x' the same as a bad camera or a purifier hands it over, T what
the teachers say of x and S the student:

    1 - cos(S(x'), T) + .5 KL of similarities to 8,000 other faces + (quality(x') - cos(S(x'), T))^2

(relational distillation: Fang et al., SEED, ICLR 2021).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from pipeline.embed.residual import ResidualFaceNet
from pipeline.purify.pin import NoPurification, Pin
from pipeline.types import ByteArray
from training.adversarial_loss import apart, misjudged, neighbourhood
from training.face_pool import FacePool
from training.schedule import Learner, learn, parameter_groups, set_rate, warm_stay_fall
from training.views import nuisance

_RESEMBLANCE_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class DistilOptions:
    """The recipe.

    Attributes:
        views: How many in all.
        batch: Views a step.
        purified_share: Views that go through the purifier, after whatever else was done to them.
        learning_rate: Of AdamW, where it stays.
        weight_decay: Of the same.
        ema: Of the averaged weights, per step; reached gradually.
        queue: Other faces that similarities are compared to.
        seed: Of everything random.
    """

    views: int = 5_000_000
    batch: int = 128
    purified_share: float = 0.4
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    ema: float = 0.999
    queue: int = 8_000
    seed: int = 0

    @property
    def steps(self) -> int:
        return max(1, self.views // self.batch)

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        return warm_stay_fall(step, self.steps, self.learning_rate)


@dataclass(frozen=True, slots=True)
class DistilProgress:
    """After a step: means since the last report.

    Attributes:
        step: How many are done.
        cosine: Between student and teachers.
        quality_error: Root of the mean squared error of the quality head.
    """

    step: int
    cosine: float
    quality_error: float


class Views(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Step -> views uint8 (B, 3, 112, 112) and their rows in the pool, int64 (B,)."""

    def __init__(self, pool: FacePool, options: DistilOptions) -> None:
        self._pool, self._options = pool, options

    def __len__(self) -> int:
        return self._options.steps

    def __getitem__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        random = np.random.default_rng((self._options.seed, step))
        rows = random.integers(len(self._pool), size=self._options.batch)
        views = np.stack([self._view(int(row), random) for row in rows])
        return torch.from_numpy(views).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(rows)

    def _view(self, row: int, random: np.random.Generator) -> ByteArray:
        """The face or its mirror image, which is the same person's, after what a camera may do."""
        crop = self._pool.crop(row)
        if random.random() < 0.5:
            crop = np.ascontiguousarray(crop[:, ::-1])
        return nuisance(crop, random)


class Distillation:
    """One training run.

    Args:
        student: Trained in place; what is to be taken of it is in :attr:`averaged`.
        purifier: Before it, for some of the views; not trained.
        pool: The faces.
        made_with: What else must be equal for a training to go on: the pool's digest, what the student is.
        options: The recipe.
        checkpoint: Where the state is kept and taken from, ``None`` for nowhere.
        device: Where `student` and `purifier` are.
        readers: Processes that prepare views; 0 for none beside this one.
    """

    def __init__(
        self,
        student: ResidualFaceNet,
        purifier: NoPurification | Pin,
        pool: FacePool,
        *,
        made_with: dict[str, str],
        options: DistilOptions,
        checkpoint: Path | None,
        device: torch.device,
        readers: int = 0,
    ) -> None:
        self._student = student.requires_grad_(True).train()
        self._purifier = purifier.requires_grad_(False).eval()
        self._pool, self._options = pool, options
        self._targets = torch.from_numpy(pool.targets).to(device)
        self._device, self._readers = device, readers
        self._learner = Learner(
            student,
            torch.optim.AdamW(parameter_groups(student, options.weight_decay), options.learning_rate),
            ema=options.ema,
            checkpoint=checkpoint,
            made_with={**asdict(options), **made_with, "purifier": purifier.purifier_id},
        )

    @property
    def step(self) -> int:
        return self._learner.step

    @property
    def averaged(self) -> dict[str, torch.Tensor]:
        return self._learner.averaged

    def run(self, report_every: int = 20, keep_every: int = 200) -> Iterator[DistilProgress]:
        """Train to the end; yields every `report_every` steps and keeps a checkpoint every `keep_every`."""
        batches = DataLoader(
            Views(self._pool, self._options),
            batch_size=None,
            sampler=range(self.step, self._options.steps),
            num_workers=self._readers,
        )
        for cosine, squared_error in learn(
            batches,
            self._train_step,
            self._learner,
            self.keep,
            steps=self._options.steps,
            report_every=report_every,
            keep_every=keep_every,
        ):
            yield DistilProgress(self.step, cosine, squared_error**0.5)

    def keep(self) -> None:
        """Write the checkpoint now."""
        self._learner.keep()

    def _train_step(self, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Cosine with the teachers and squared error of the quality, float32 (2,): means of the batch."""
        views, rows = (part.to(self._device) for part in batch)
        targets = self._targets[rows]
        faces = self._seen(views.float())
        set_rate(self._learner.optimiser, self._options.rate(self.step))
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"):
            vectors, quality = self._student.embed_and_judge(faces)
        vectors, quality = vectors.float(), quality.float()
        distance = apart(vectors, targets)
        resemblance = neighbourhood(vectors, targets, self._others()).mean()
        error = misjudged(quality, distance)
        loss = distance.mean() + _RESEMBLANCE_WEIGHT * resemblance + error
        self._learner.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._learner.advance()
        return torch.stack([1.0 - distance.mean(), error]).detach()

    def _seen(self, views: torch.Tensor) -> torch.Tensor:
        """Some of them through the purifier."""
        purified = round(self._options.purified_share * len(views))
        with torch.no_grad():
            return torch.cat([self._purifier(views[:purified]), views[purified:]])

    def _others(self) -> torch.Tensor:
        """float32 (Q, D): targets drawn anew for every step."""
        generator = torch.Generator().manual_seed(self._options.seed * 1_000_003 + self.step)
        rows = torch.randint(len(self._targets), (self._options.queue,), generator=generator)
        return self._targets[rows.to(self._device)]
