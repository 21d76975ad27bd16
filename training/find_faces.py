"""Trains a :class:`~pipeline.detect.compact.CompactNet` from nothing on scenes that never repeat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from pipeline.detect.compact import CompactNet
from pipeline.detect.yunet import YuNetDetector
from pipeline.types import ByteArray
from training.detection_loss import Cells, Wanted, losses, wanted_of_labels, wanted_of_teacher
from training.labels import LabelledPhoto, digest_of
from training.scenes import SIDE_PX, Scene, SceneMaker
from training.schedule import Learner, learn, parameter_groups, set_rate, warm_stay_fall


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """The recipe.

    Attributes:
        scenes: How many in all.
        batch: Scenes a step.
        learning_rate: Of AdamW, where it stays.
        weight_decay: Of the same.
        ema: Of the averaged weights, per step; reached gradually.
        seed: Of scenes and first weights.
    """

    scenes: int = 600_000
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    ema: float = 0.999
    seed: int = 0

    @property
    def steps(self) -> int:
        return max(1, self.scenes // self.batch)


@dataclass(frozen=True, slots=True)
class DetectorProgress:
    """After a step: how many are done, and mean losses of a cell that finds a face since the last report."""

    step: int
    score: float
    box: float
    landmarks: float


class Scenes(Dataset[list[Scene]]):
    """Step -> its scenes."""

    def __init__(self, maker: SceneMaker, options: DetectorOptions) -> None:
        self._maker, self._options = maker, options

    def __len__(self) -> int:
        return self._options.steps

    def __getitem__(self, step: int) -> list[Scene]:
        random = np.random.default_rng((self._options.seed, step))
        return [self._maker.scene(random) for _ in range(self._options.batch)]


class DetectorTraining:
    """One training run.

    Args:
        network: Trained in place; what is to be taken of it is in :attr:`averaged`.
        maker: Of scenes.
        photos: That it makes them from.
        options: The recipe.
        checkpoint: Where the state is kept and taken from, ``None`` for nowhere.
        device: Where `network` is.
        readers: Processes that make scenes; 0 for none beside this one.
        teacher: Detector with the same cells, asked about every scene; ``None`` to go by labels alone.
    """

    def __init__(
        self,
        network: CompactNet,
        maker: SceneMaker,
        photos: Sequence[LabelledPhoto],
        *,
        options: DetectorOptions,
        checkpoint: Path | None,
        device: torch.device,
        readers: int = 0,
        teacher: YuNetDetector | None = None,
    ) -> None:
        self._teacher = teacher
        # Channels last: on a CPU the way through the network takes half of the time.
        self._network = network.to(memory_format=torch.channels_last).requires_grad_(True).train()
        self._maker, self._options = maker, options
        self._device, self._readers = device, readers
        self._cells = Cells.of(SIDE_PX, device)
        taught_by = teacher.detector_id if teacher else "labels"
        self._learner = Learner(
            network,
            torch.optim.AdamW(parameter_groups(network, options.weight_decay), options.learning_rate),
            ema=options.ema,
            checkpoint=checkpoint,
            made_with={**asdict(options), "photographs": digest_of(photos), "teacher": taught_by},
        )

    @property
    def step(self) -> int:
        return self._learner.step

    @property
    def averaged(self) -> dict[str, torch.Tensor]:
        return self._learner.averaged

    def run(self, report_every: int = 50, keep_every: int = 500) -> Iterator[DetectorProgress]:
        """Train to the end; yields every `report_every` steps and keeps a checkpoint every `keep_every`."""
        batches = DataLoader(
            Scenes(self._maker, self._options),
            batch_size=None,
            sampler=range(self.step, self._options.steps),
            num_workers=self._readers,
            collate_fn=_as_they_are,
        )
        for means in learn(
            batches,
            self._train_step,
            self._learner,
            self.keep,
            steps=self._options.steps,
            report_every=report_every,
            keep_every=keep_every,
        ):
            yield DetectorProgress(self.step, *means)

    def keep(self) -> None:
        """Write the checkpoint now."""
        self._learner.keep()

    def _train_step(self, scenes: Sequence[Scene]) -> torch.Tensor:
        """Mean losses of score, box and landmarks, float32 (3,)."""
        seen = np.stack([scene.image_bgr for scene in scenes])
        wanted = self._wanted(seen, scenes)
        # A view of what lies there channels last.
        images = torch.from_numpy(seen).to(self._device).permute(0, 3, 1, 2).float()
        options, learner = self._options, self._learner
        set_rate(learner.optimiser, warm_stay_fall(self.step, options.steps, options.learning_rate))
        loss = losses(torch.cat(self._network(images), dim=1), wanted, self._cells)
        learner.optimiser.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        learner.advance()
        return torch.stack([loss.score, loss.box, loss.landmarks]).detach() / loss.found.clamp(min=1.0)

    def _wanted(self, images_bgr: ByteArray, scenes: Sequence[Scene]) -> Wanted:
        labels = [
            [
                torch.from_numpy(part).to(self._device)
                for part in (scene.boxes, scene.landmarks, scene.ignored)
            ]
            for scene in scenes
        ]
        if self._teacher is None:
            return Wanted.stacked([wanted_of_labels(self._cells, *each) for each in labels])
        said = torch.from_numpy(self._teacher.cells(images_bgr)).to(self._device)
        return Wanted.stacked(
            [wanted_of_teacher(of_one, self._cells, *each) for of_one, each in zip(said, labels, strict=True)]
        )


def _as_they_are(scenes: list[Scene]) -> list[Scene]:
    return scenes
