"""Trains purifiers from the command line: which faces, which embedder, which recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workers.build import Context
from workers.facepack import Track, pack_people

if TYPE_CHECKING:
    from pipeline.models import ModelCard
    from pipeline.robustness.faces import FacePack
    from training.work import Tell


@dataclass(frozen=True, slots=True)
class PinwatchRecipe:
    """See :class:`training.pin.PinOptions` and :class:`training.attack_pool.PoolOptions`."""

    steps: int
    examples: int
    clean_weight: float


@dataclass(frozen=True, slots=True)
class PaperRecipe:
    """See :func:`training.paper_pin.train_paper_pin`; :class:`pipeline.purify.reinforce.ReinforceOptions`."""

    components: int
    penalty: float
    epochs: int
    denoise_epochs: int
    learning_rate: float
    width: float
    exact: bool


def train_purifier(
    program: Context,
    faces: Path,
    name: str,
    recipe: PinwatchRecipe | PaperRecipe,
    *,
    seed: int,
    tell: Tell,
    track: Track,
) -> ModelCard:
    """Train with the embedder in force and write to the models of the data folder.

    Raises:
        UsageError: the faces cannot be used, or are too few.
        StorageError: something cannot be written.
    """
    import torch

    from training.work import Work

    device = torch.device(program.device())
    pack, rows = _faces(program, faces, track)
    work = Work(program.settings.data / "models", name)
    if isinstance(recipe, PaperRecipe):
        from pipeline.purify.reinforce import ReinforceOptions
        from training.paper_pin import train_paper_pin

        options = ReinforceOptions(
            penalty=recipe.penalty,
            epochs=recipe.epochs,
            denoise_epochs=recipe.denoise_epochs,
            learning_rate=recipe.learning_rate,
            seed=seed,
            exact=recipe.exact,
        )
        return train_paper_pin(
            pack,
            rows,
            work,
            options=options,
            components=recipe.components,
            width=recipe.width,
            device=device,
            tell=tell,
            report=lambda progress: None,
        )
    from pipeline.embed.load import load_network
    from pipeline.models import ModelKind
    from training.attack_pool import PoolOptions
    from training.pin import PinOptions
    from training.pinwatch_pin import train_pin

    model = program.catalogue().open(program.settings.embedder.name, ModelKind.EMBEDDER)
    network = load_network(model).to(device)
    return train_pin(
        pack,
        rows,
        {model.card.model_id: network},
        work,
        pool_options=PoolOptions(examples=recipe.examples, seed=seed),
        options=PinOptions(steps=recipe.steps, clean_weight=recipe.clean_weight, seed=seed),
        device=device,
        tell=tell,
        report=lambda progress: None,
    )


def _faces(program: Context, faces: Path, track: Track) -> tuple[FacePack, list[int]]:
    """The photographs, and which of them train."""
    from pipeline.robustness.faces import load_faces
    from pipeline.robustness.protocol import Split

    pack = load_faces(faces) if faces.is_file() else pack_people(faces, program.photo_detector(), track=track)
    return pack, pack.rows_of(Split.TRAIN)
