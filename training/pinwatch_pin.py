"""Makes a purifier of the kind `pinwatch` from photographs: basis, attacked faces, training, file and card.

    python -m training.pinwatch_pin --faces faces.npz --models DIR --embedder NAME --out DIR

Stopped and started again with the same options it goes on where it was.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path

import torch
from rich.progress import Progress as Bar
from torch import nn

from pipeline.embed.load import load_network
from pipeline.models import Catalogue, ModelCard, ModelKind
from pipeline.purify.selector import SelectorKind
from pipeline.purify.storage import LICENCE, StoredPin, save_pin
from pipeline.robustness.faces import FacePack, load_faces
from pipeline.robustness.protocol import Split, person_of
from training.attack_pool import AttackPool, PoolOptions, Surrogates
from training.command import add_options, chosen, run
from training.fit_adaptive import untrained_pin
from training.people import People
from training.pin import PinOptions, PinProgress, PinTraining
from training.work import Tell, Work


def train_pin(
    pack: FacePack,
    rows: list[int],
    networks: Mapping[str, nn.Module],
    work: Work,
    *,
    pool_options: PoolOptions,
    options: PinOptions,
    device: torch.device,
    tell: Tell,
    report: Callable[[PinProgress], None],
) -> ModelCard:
    """The whole recipe on the photographs `rows` of `pack`, through `networks` by model id.

    Raises:
        UsageError: the photographs are too few.
        StorageError: something cannot be written.
    """
    tell("fitting the basis", 0, 1)
    pin, basis = untrained_pin(lambda: (pack.crop(row) for row in rows), seed=options.seed)
    pin = pin.to(device).eval()
    people = People(rows, [person_of(pack.photos[row]) for row in rows])
    # `basis` is a part of `pin` and is on its device: what is moved back must be a copy.
    surrogates = Surrogates(pin.mean.cpu(), copy.deepcopy(basis).cpu())
    pool = AttackPool(
        work.folder, pack, people, networks, surrogates=surrogates, options=pool_options, device=device
    )
    for done in pool.make():
        tell("attacking faces", done, pool.total)
    training = PinTraining(
        pin,
        networks,
        pool,
        pool_options.pieces,
        pack=pack,
        people=people,
        options=options,
        checkpoint=work.folder / "training.checkpoint",
        device=device,
    )
    for progress in training.run():
        tell("training", progress.step, options.steps)
        report(progress)
    stored = StoredPin(pin.mean, basis.cpu(), pin.selector.state_dict())
    return save_pin(
        work.out,
        work.name,
        stored,
        SelectorKind.PINWATCH,
        description=f"PIN with gains estimated for each face, {basis.count} separable components; trained on "
        f"{len(rows)} photographs, {options.steps} steps, through {', '.join(networks)}.",
        source=f"trained with `{work.command}`",
        licence=work.licence,
        options={"keep": basis.count, "chroma_keep": pin.chroma_count},
    )


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line; every number of the recipe is an option of the same name."""
    summary = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m training.pinwatch_pin", description=summary)
    parser.add_argument("--faces", type=Path, required=True, help="from `pinwatch robustness pack`")
    parser.add_argument("--models", type=Path, required=True, help="folder of cards and model files")
    parser.add_argument("--embedder", action="append", required=True, help="card; several take turns")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", default="pinwatch-pin")
    parser.add_argument("--licence", default=LICENCE, help="what the card says of it")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    for group, options in (("attacked faces", PoolOptions), ("training", PinOptions)):
        section = parser.add_argument_group(group)
        add_options(section, options, without=("seed",))
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """0, or the error's exit code."""
    given = parse(arguments)

    def work(bar: Bar) -> str:
        card = _train(given, bar)
        return f"{card.model_id}: {card.description}"

    return run(work)


def _train(given: argparse.Namespace, bar: Bar) -> ModelCard:
    device = torch.device(given.device)
    catalogue = Catalogue.load([given.models])
    opened = [catalogue.open(name, ModelKind.EMBEDDER) for name in given.embedder]
    networks = {model.card.model_id: load_network(model).to(device) for model in opened}
    pack = load_faces(given.faces)
    task = bar.add_task("starting", total=1)
    return train_pin(
        pack,
        pack.rows_of(Split.TRAIN),
        networks,
        Work(given.out, given.name, given.licence, command_of(given)),
        pool_options=chosen(given, PoolOptions),
        options=chosen(given, PinOptions),
        device=device,
        tell=lambda what, done, total: bar.update(task, description=what, completed=done, total=total),
        report=lambda progress: bar.console.print(describe(progress)),
    )


def command_of(given: argparse.Namespace) -> str:
    """What repeats this on the same photographs, without the folders of one machine."""
    changed = {
        option.name: getattr(given, option.name)
        for group in (PoolOptions, PinOptions)
        for option in fields(group)
        if getattr(given, option.name) != option.default
    }
    parts = [f"--embedder {name}" for name in given.embedder]
    parts += [f"--{name.replace('_', '-')} {value}" for name, value in changed.items()]
    return " ".join(["python -m training.pinwatch_pin", *parts])


def describe(progress: PinProgress) -> str:
    """One line for people."""
    return (
        f"step {progress.step}: rightly decided {progress.attacked:.3f} attacked, "
        f"{progress.clean_genuine:.3f} clean genuine, {progress.clean_impostor:.3f} clean impostors, "
        f"threshold {progress.threshold:.3f}"
    )


if __name__ == "__main__":
    sys.exit(main())
