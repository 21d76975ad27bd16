"""Trains the bundled detector on scenes made from photographs, and writes weights with a card.

    python -m training.detector label --photos lfw/ --pairs pairs.txt --models DIR --out labels.npz
    python -m training.detector train --labels labels.npz --out DIR

Stopped and started again with the same options `train` goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from rich.progress import Progress as Bar

from pipeline.detect.compact import CompactNet
from pipeline.detect.load import load_detector
from pipeline.detect.yunet import YuNetDetector
from pipeline.errors import UsageError
from pipeline.models import Catalogue, ModelCard, ModelKind, load_into, sha256_of
from pipeline.purify.storage import LICENCE
from pipeline.robustness.protocol import Split, fold_of_people, person_of, read_pairs, split_of
from training.command import add_options, chosen, run
from training.empty import empty_pictures
from training.find_faces import DetectorOptions, DetectorTraining
from training.labels import label_all, load_labels, save_labels
from training.output import detector_card, save_network
from training.scenes import SceneMaker

TEACHERS = ("yunet", "retinaface-mobile025")
_LABEL_SIZE_PX = 640
_UNSURE = 0.3


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line; every number of the recipe is an option of the same name."""
    parser = argparse.ArgumentParser(prog="python -m training.detector", description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    label = verbs.add_parser("label", help="let two detectors look at the photographs of those who train")
    label.add_argument("--photos", type=Path, required=True, help="folder of photographs, Name_0001.jpg")
    label.add_argument("--pairs", type=Path, required=True, help="pairs of LFW's View 2: who trains")
    label.add_argument("--models", type=Path, required=True, help="folder of cards and model files")
    label.add_argument("--teacher", action="append", metavar="CARD", help=f"two; {' and '.join(TEACHERS)}")
    label.add_argument("--out", type=Path, required=True, help="file to write")
    train = verbs.add_parser("train", help="train on scenes made from them")
    train.add_argument("--labels", type=Path, required=True, help="from `label`")
    train.add_argument(
        "--models",
        type=Path,
        metavar="DIR",
        help="folder with YuNet, to be asked about every scene; slower a scene, better in the end",
    )
    train.add_argument("--start", type=Path, metavar="FILE", help="go on from these weights")
    train.add_argument("--out", type=Path, required=True, help="folder for the weights, card and checkpoint")
    train.add_argument("--name", default="detector", help="of the card; one that ships must have its own")
    train.add_argument("--licence", default=LICENCE, help="what the card says of it")
    train.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    train.add_argument("--readers", type=int, default=0, help="processes that make scenes")
    recipe = train.add_argument_group("recipe")
    add_options(recipe, DetectorOptions)
    return parser.parse_args(arguments)


def label_photos(given: argparse.Namespace, bar: Bar) -> str:
    """Label the photographs of the people who train; what was done, in words.

    Raises:
        UsageError: there are not two teachers, or there is no such folder.
        StorageError: the file cannot be written.
    """
    names = given.teacher or TEACHERS
    if len(names) != 2:
        raise UsageError(f"two teachers must agree; {len(names)} named")
    catalogue = Catalogue.load([given.models])
    first, second = (
        load_detector(catalogue.open(name, ModelKind.DETECTOR), size_px=_LABEL_SIZE_PX, min_score=_UNSURE)
        for name in names
    )
    folds = fold_of_people(read_pairs(given.pairs))
    photos = [
        path
        for path in sorted(given.photos.rglob("*.jpg"))
        if split_of(person_of(path.stem), folds) is Split.TRAIN
    ]
    if not photos:
        raise UsageError(f"no photographs of people who train in {given.photos}")
    unread: list[Path] = []
    labelled = label_all(bar.track(photos, description="labelling"), (first, second), unread.append)
    save_labels(given.out, labelled)
    faces = sum(len(photo.boxes) for photo in labelled)
    ignored = sum(len(photo.ignored) for photo in labelled)
    return (
        f"{given.out}: {len(labelled)} photographs, {faces} faces, {ignored} unsure; {len(unread)} unreadable"
    )


def train(given: argparse.Namespace, bar: Bar) -> ModelCard:
    """Train, and write what came of it.

    Raises:
        UsageError: the labels or the weights to start from cannot be used.
        StorageError: `--out` cannot be written.
    """
    options = chosen(given, DetectorOptions)
    photos = load_labels(given.labels)
    empty = empty_pictures()
    torch.manual_seed(options.seed)
    network = CompactNet()
    if given.start:
        load_into(network, given.start)
    training = DetectorTraining(
        network.to(given.device),
        SceneMaker(photos, empty),
        photos,
        options=options,
        checkpoint=given.out / f"{given.name}.checkpoint",
        device=torch.device(given.device),
        readers=given.readers,
        teacher=_teacher(given.models) if given.models else None,
    )
    task = bar.add_task("detector", total=options.steps, completed=training.step)
    for progress in training.run():
        bar.update(task, completed=progress.step)
        bar.console.print(
            f"step {progress.step}/{options.steps}: score {progress.score:.3f}, box {progress.box:.3f}, "
            f"landmarks {progress.landmarks:.4f}"
        )
    network.load_state_dict(training.averaged)
    begun = f", begun from {given.start.stem}@{sha256_of(given.start)[:8]}" if given.start else ""
    description = (
        f"As small as YuNet, for frontal faces of 10 to 200 px: {options.scenes:,} scenes made from "
        f"{len(photos):,} photographs and {len(empty)} pictures without faces{begun}. Not for profiles, "
        "masks or faces seen from above."
    )
    return save_network(
        given.out,
        detector_card(given.name, description, "python -m training.detector train", given.licence),
        network.cpu(),
    )


def _teacher(models: Path) -> YuNetDetector:
    return YuNetDetector(Catalogue.load([models]).open(TEACHERS[0], ModelKind.DETECTOR))


def main(arguments: list[str] | None = None) -> int:
    """0, or the error's exit code."""
    given = parse(arguments)

    def work(bar: Bar) -> str:
        if given.verb == "label":
            return label_photos(given, bar)
        card = train(given, bar)
        return f"{card.model_id}: {card.description}"

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
