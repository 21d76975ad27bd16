"""Runs the adversarial stage on an embedder behind a purifier, and writes weights with a card.

    python -m training.harden --faces faces.npz --models DIR --embedder mobilefacenet --purifier pin --out DIR

Stopped and started again with the same options it goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch
from rich.progress import Progress as Bar

from pipeline.embed.load import load_network
from pipeline.errors import UsageError
from pipeline.models import Catalogue, ModelCard, ModelKind
from pipeline.purify.load import load_purifier
from pipeline.purify.storage import LICENCE
from pipeline.robustness.faces import load_faces
from training.adversarial import AdversarialOptions, AdversarialStage
from training.bank import make_bank
from training.command import add_options, chosen, run
from training.output import EMBEDDER_ARCHITECTURE, save_network

ARCHITECTURES = (EMBEDDER_ARCHITECTURE, "mobilefacenet")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line; every number of the recipe is an option of the same name."""
    parser = argparse.ArgumentParser(prog="python -m training.harden", description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=Path, required=True, help="from `pinwatch robustness pack`")
    parser.add_argument("--models", type=Path, required=True, help="folder of cards and model files")
    parser.add_argument("--embedder", default="mobilefacenet", help="card that the student starts from")
    parser.add_argument("--purifier", required=True, help="card of the purifier before it")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the weights, their card and the checkpoint"
    )
    parser.add_argument("--name", default="hardened")
    parser.add_argument("--licence", default=LICENCE, help="what the card says of it")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    recipe = parser.add_argument_group("recipe")
    add_options(recipe, AdversarialOptions)
    return parser.parse_args(arguments)


def harden(given: argparse.Namespace, bar: Bar) -> ModelCard:
    """Train, and write what came of it.

    Raises:
        UsageError: the embedder is of an architecture that this recipe does not train.
        StorageError: `--out` cannot be written.
    """
    options = chosen(given, AdversarialOptions)
    catalogue = Catalogue.load([given.models, given.out])
    start = catalogue.open(given.embedder, ModelKind.EMBEDDER)
    if start.card.architecture not in ARCHITECTURES:
        wanted = " or ".join(ARCHITECTURES)
        raise UsageError(f"the recipe trains {wanted}; {given.embedder} is {start.card.architecture}")
    device = torch.device(given.device)
    purifier = load_purifier(catalogue.open(given.purifier, ModelKind.PURIFIER)).to(device)
    pack = load_faces(given.faces)
    bank = make_bank(load_network(start).to(device), pack, device)
    checkpoint = given.out / f"{given.name}.checkpoint"
    student = load_network(start).to(device)
    stage = AdversarialStage(
        student,
        purifier,
        bank,
        pack,
        embedder=start.card.model_id,
        options=options,
        checkpoint=checkpoint,
        device=device,
    )
    task = bar.add_task("adversarial stage", total=options.steps, completed=stage.step)
    for progress in stage.run():
        bar.update(task, completed=progress.step)
        bar.console.print(
            f"step {progress.step}/{options.steps}: 1 - cos {progress.clean_loss:.4f} clean, "
            f"{progress.attacked_loss:.4f} attacked"
        )
    student.load_state_dict(stage.weights)
    card = replace(
        start.card,
        name=given.name,
        licence=given.licence,
        source="python -m training.harden",
        description=f"{start.card.name}, {stage.step} steps of the adversarial stage behind "
        f"{given.purifier}, on {len(bank)} photographs; {stage.choice}.",
        thresholds=(),
    )
    return save_network(given.out, card, student)


def main(arguments: list[str] | None = None) -> int:
    """0, or the error's exit code."""
    given = parse(arguments)

    def work(bar: Bar) -> str:
        card = harden(given, bar)
        return f"{card.model_id}: {card.description}"

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
