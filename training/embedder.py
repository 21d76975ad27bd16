"""Trains the bundled embedder from its teachers, and writes weights with a card.

    python -m training.embedder --faces faces.npz --models DIR --out DIR

Stopped and started again with the same options it goes on where it was. With --start it goes on from the
weights of a card instead of from random ones.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from rich.progress import Progress as Bar

from pipeline.embed.load import load_network
from pipeline.embed.residual import EMBEDDING_DIM, ResidualFaceNet
from pipeline.errors import UsageError
from pipeline.models import Catalogue, ModelCard, ModelKind
from pipeline.purify.load import load_purifier
from pipeline.purify.storage import LICENCE
from pipeline.robustness.defence import Defence, verify
from pipeline.robustness.faces import FacePack, load_faces
from pipeline.robustness.protocol import Split
from training.command import add_options, chosen, run
from training.distil import Distillation, DistilOptions
from training.face_pool import PoolMaker
from training.output import EMBEDDER_ARCHITECTURE, embedder_card, save_network
from training.teachers import load_teachers

TEACHERS = ("face-reidentification-retail-0095", "mobilefacenet")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line; every number of the recipe is an option of the same name."""
    parser = argparse.ArgumentParser(prog="python -m training.embedder", description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=Path, required=True, help="from `pinwatch robustness pack`")
    parser.add_argument(
        "--models", type=Path, action="append", required=True, help="folder of cards and model files"
    )
    parser.add_argument("--teacher", action="append", metavar="CARD", help=f"default {', '.join(TEACHERS)}")
    parser.add_argument("--purifier", default="pinwatch-pin", help="card of the purifier before the student")
    parser.add_argument("--start", metavar="CARD", help="go on from these weights; default random ones")
    parser.add_argument("--made", type=int, default=50_000, help="faces made from the photographs")
    parser.add_argument(
        "--one-look",
        action="store_true",
        help="teachers do not look at the mirror images of made faces: half the time a face",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights, card and checkpoint")
    parser.add_argument("--name", default="embedder", help="of the card; one that ships must have its own")
    parser.add_argument("--licence", default=LICENCE, help="what the card says of it")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--readers", type=int, default=0, help="processes that prepare views")
    recipe = parser.add_argument_group("recipe")
    add_options(recipe, DistilOptions)
    return parser.parse_args(arguments)


def train(given: argparse.Namespace, bar: Bar) -> ModelCard:
    """Train, and write what came of it.

    Raises:
        UsageError: a card is of an architecture that this recipe does not train.
        StorageError: `--out` cannot be written.
    """
    options = chosen(given, DistilOptions)
    device = torch.device(given.device)
    catalogue = Catalogue.load([*given.models, given.out])
    purifier = load_purifier(catalogue.open(given.purifier, ModelKind.PURIFIER)).to(device)
    pack = load_faces(given.faces)
    teachers = load_teachers(catalogue, given.teacher or TEACHERS, given.device, torch.get_num_threads())
    torch.manual_seed(options.seed)
    student, start = _student(catalogue, given.start)
    maker = PoolMaker(pack, teachers, given.out / f"{given.name}.faces", options.seed, not given.one_look)
    making = bar.add_task("faces for the student")
    pool = maker.pool(
        given.made,
        EMBEDDING_DIM,
        lambda what, done, total: bar.update(making, description=what, completed=done, total=total),
    )
    training = Distillation(
        student.to(device),
        purifier,
        pool,
        made_with={"start": start, "pool": maker.digest, "made": str(given.made)},
        options=options,
        checkpoint=given.out / f"{given.name}.checkpoint",
        device=device,
        readers=given.readers,
    )
    task = bar.add_task("distillation", total=options.steps, completed=training.step)
    for progress in training.run():
        bar.update(task, completed=progress.step)
        bar.console.print(
            f"step {progress.step}/{options.steps}: cosine {progress.cosine:.4f}, "
            f"quality +-{progress.quality_error:.3f}"
        )
    student.load_state_dict(training.averaged)
    student.eval().requires_grad_(False)
    found = _accuracy(student, purifier, pack, device)
    description = (
        f"A small residual network that says what {' and '.join(teachers.names)} say, begun from {start}, "
        f"{options.views:,} views made from {len(pack.rows_of(Split.TRAIN)):,} photographs; of fold 4's "
        f"pairs {found[0]:.4f} are decided rightly, behind {given.purifier} {found[1]:.4f}."
    )
    return save_network(
        given.out,
        embedder_card(given.name, description, "python -m training.embedder", given.licence),
        student,
    )


def _student(catalogue: Catalogue, name: str | None) -> tuple[ResidualFaceNet, str]:
    if name is None:
        return ResidualFaceNet(), "random weights"
    start = catalogue.open(name, ModelKind.EMBEDDER)
    network = load_network(start)
    if not isinstance(network, ResidualFaceNet):
        raise UsageError(f"the recipe trains {EMBEDDER_ARCHITECTURE}; {name} is {start.card.architecture}")
    return network, start.card.model_id


def _accuracy(
    student: torch.nn.Module, purifier: torch.nn.Module, pack: FacePack, device: torch.device
) -> tuple[float, float]:
    """Of fold 4's pairs, at the best threshold: without and with the purifier."""
    shares = []
    for name, before in (("none", torch.nn.Identity()), ("purifier", purifier)):
        verification = verify(
            Defence(name, "student", before, student), pack, pack.pairs_of(Split.SELECT), device
        )
        shares.append(verification.accuracy(verification.threshold))
    return shares[0], shares[1]


def main(arguments: list[str] | None = None) -> int:
    """0, or the error's exit code."""
    given = parse(arguments)

    def work(bar: Bar) -> str:
        card = train(given, bar)
        return f"{card.model_id}: {card.description}"

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
