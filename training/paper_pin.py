"""Makes a purifier of the kind `paper` from photographs: eigenfaces, the published networks, REINFORCE."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from pipeline.models import ModelCard
from pipeline.purify.colour import LumaChroma
from pipeline.purify.fit import BasisKind, FitOptions, fit_pin
from pipeline.purify.paper import PUBLISHED_COUNT, MaskMode, initial_selector
from pipeline.purify.reinforce import Progress, ReinforceOptions, train_paper
from pipeline.purify.selector import SelectorKind
from pipeline.purify.storage import StoredPin, save_pin
from pipeline.robustness.faces import FacePack
from training.work import Tell, Work

_CHUNK = 256


def train_paper_pin(
    pack: FacePack,
    rows: list[int],
    work: Work,
    *,
    options: ReinforceOptions,
    components: int = PUBLISHED_COUNT,
    width: float = 1.0,
    device: torch.device,
    tell: Tell,
    report: Callable[[Progress], None],
) -> ModelCard:
    """The published recipe on the photographs `rows` of `pack`.

    Args:
        pack: The photographs.
        rows: Which of them.
        work: Where to write.
        options: The recipe.
        components: Eigenfaces to choose from; must be fewer than photographs.
        width: Share of the published channels.
        device: Where to train.
        tell: Told how far it is.
        report: Told each step.

    Raises:
        UsageError: the photographs are too few.
        StorageError: something cannot be written.
    """
    tell("fitting the basis", 0, 1)
    fit_options = FitOptions(components, None, BasisKind.EIGEN, options.seed)
    fitted = fit_pin((pack.crop(row) for row in rows), fit_options)
    selector = initial_selector(components, options.seed, width=width).to(device)
    basis = fitted.basis.to(device)
    checkpoint = work.folder / "training.checkpoint"
    luma = _luma(pack, rows)
    for progress in train_paper(selector, luma, fitted.mean[0], basis, options, checkpoint=checkpoint):
        tell(f"training: {progress.stage}", progress.step, progress.steps)
        report(progress)
    return save_pin(
        work.out,
        work.name,
        StoredPin(fitted.mean, basis.cpu(), selector.state_dict()),
        SelectorKind.PAPER,
        description=f"PIN as published, {components} eigenfaces, lambda {options.penalty:g}, "
        f"{options.epochs} epochs of {'its exact gradient' if options.exact else 'REINFORCE'} on {len(rows)} "
        "photographs; mask at each face's own mean.",
        source=f"trained with `{work.command} --selector paper`",
        licence=work.licence,
        options={
            "keep": components,
            "chroma_keep": fit_options.chroma_keep,
            "mode": str(MaskMode.MEAN),
            "width": float(width),
        },
    )


def _luma(pack: FacePack, rows: list[int]) -> torch.Tensor:
    """uint8 (N, 112, 112): rounded, as 4,000 faces would take 200 MB otherwise."""
    colour = LumaChroma()
    planes = [
        colour.planes(pack.batch(rows[start : start + _CHUNK]))[:, 0].round().to(torch.uint8)
        for start in range(0, len(rows), _CHUNK)
    ]
    return torch.from_numpy(np.concatenate([plane.numpy() for plane in planes]))
