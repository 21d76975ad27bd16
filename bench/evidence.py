"""What purification and attack evidence cost, as shares of embedding alone.

    python -m bench.evidence [--assets DIR] [--embedder CARD] [--rounds N] [--threads N]

Embeds one batch of 32 LFW crops through OpenVINO, round after round: without a purifier, behind it, and
behind it with evidence (a second embedding without it). What a purifier costs is what it adds to
embedding in one graph with it, as the program runs it; it is also run by itself. All take turns within
a round, each is divided by embedding alone of the same round, and the medians over the rounds are
printed: what else the machine does then weighs on all of them alike.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from bench.errors import in_one_line
from bench.lfw import cut_faces_of_people
from pipeline.detect.load import load_detector
from pipeline.embed.embedder import NetworkEmbedder, PurifiedNetwork, as_network_input
from pipeline.embed.evidence import EvidenceEmbedder
from pipeline.embed.load import load_network
from pipeline.embed.runtimes import OpenVinoRuntime
from pipeline.models import Catalogue, ModelKind, VerifiedModel
from pipeline.purify.basis import PIXELS, SIDE, EigenBasis
from pipeline.purify.fit import FitOptions, fit_pin, save_fitted
from pipeline.purify.load import load_purifier
from pipeline.purify.paper import PUBLISHED_COUNT, initial_selector
from pipeline.purify.pin import NoPurification, Pin
from pipeline.robustness.protocol import fold_of_people, read_pairs
from pipeline.types import ByteArray, TemplateKey

ALONE = "embedding alone"
BATCH = 32
FIT_PEOPLE = 150
COMPONENTS = 800
ALLOWED_SHARE = 0.10
"""Purifying may add this much to embedding: both in one graph, as the program runs them."""

NamedPurifier = tuple[str, nn.Module]
Work = Callable[[], object]


def work_of(
    opened: VerifiedModel, purifiers: Sequence[NamedPurifier], crops_rgb: Sequence[ByteArray], threads: int
) -> dict[str, Work]:
    """What is timed: :data:`ALONE`, and for each purifier ``NAME: purifier``, ``NAME: purified`` and
    ``NAME: evidence``."""
    alone = _embedder("none", NoPurification(), opened, threads)
    pixels = as_network_input(crops_rgb)
    works: dict[str, Work] = {ALONE: functools.partial(alone.embed, crops_rgb)}
    for name, purifier in purifiers:
        by_itself = OpenVinoRuntime(nn.Sequential(purifier, nn.Flatten()), threads=threads)
        purified = _embedder(name, purifier, opened, threads)
        works[f"{name}: purifier"] = functools.partial(by_itself.run, pixels)
        works[f"{name}: purified"] = functools.partial(purified.embed, crops_rgb)
        works[f"{name}: evidence"] = functools.partial(EvidenceEmbedder(purified, alone).embed, crops_rgb)
    return works


def _embedder(name: str, purifier: nn.Module, opened: VerifiedModel, threads: int) -> NetworkEmbedder:
    runtime = OpenVinoRuntime(PurifiedNetwork(purifier, load_network(opened)), threads=threads)
    return NetworkEmbedder(TemplateKey(opened.card.model_id, name), opened.card.dim or 0, runtime)


def report(seconds: Mapping[str, Sequence[float]], names: Sequence[str]) -> list[str]:
    """One line for the embedder alone and one for each purifier."""
    alone_ms = 1e3 * statistics.median(seconds[ALONE]) / BATCH
    lines = [f"embedding alone: {alone_ms:.2f} ms a crop; shares of it:"]
    for name in names:
        purifier, purified, evidence = (
            _share(seconds, f"{name}: {what}") for what in ("purifier", "purified", "evidence")
        )
        added = purified - 1.0
        verdict = "within" if added <= ALLOWED_SHARE else "OVER"
        lines.append(
            f"  {name}: purified {purified:.3f}, so it adds {added:.3f} ({verdict} {ALLOWED_SHARE:g}); "
            f"purifier by itself {purifier:.3f}, with evidence {evidence:.3f}"
        )
    return lines


def timed_in_turns(works: Mapping[str, Work], rounds: int) -> dict[str, list[float]]:
    """Seconds of each work in each of `rounds` rounds, after one that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            if number:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def _share(seconds: Mapping[str, Sequence[float]], name: str) -> float:
    """Of embedding alone in the same round; the median over the rounds."""
    return statistics.median(mine / alone for mine, alone in zip(seconds[name], seconds[ALONE], strict=True))


def lfw_crops(assets: Path, catalogue: Catalogue) -> list[ByteArray]:
    """Aligned crops of the first people of the development folds."""
    folds = fold_of_people(read_pairs(assets / "faces" / "pairs-dev.txt"))
    people = dict(sorted(folds.items())[:FIT_PEOPLE])
    detector = load_detector(catalogue.open("yunet", ModelKind.DETECTOR), size_px=640, min_score=0.6)
    cuts = cut_faces_of_people(assets / "faces" / "lfw-dev", people, detector)
    return [cut.crop_rgb for cut in cuts]


def make_purifiers(crops_rgb: Sequence[ByteArray]) -> list[NamedPurifier]:
    """The purifiers to measure. What they are fitted to does not change what they cost."""
    options = FitOptions(components=COMPONENTS)
    with tempfile.TemporaryDirectory() as folder:
        save_fitted(fit_pin(crops_rgb, options), Path(folder), "pin", options)
        opened = Catalogue.load([Path(folder)]).open("pin", ModelKind.PURIFIER)
        fixed = (f"{opened.card.architecture} {COMPONENTS}", load_purifier(opened))
    bundled = Catalogue.load([]).open("pinwatch-pin", ModelKind.PURIFIER)
    return [fixed, ("pinwatch-pin", load_purifier(bundled)), ("pin_paper", published_size())]


def published_size() -> nn.Module:
    """The published purifier, untrained, on as many orthonormal pictures as it has eigenfaces."""
    generator = torch.Generator().manual_seed(0)
    pictures = torch.linalg.qr(torch.randn(PIXELS, PUBLISHED_COUNT, generator=generator)).Q.T
    basis = EigenBasis(pictures.reshape(-1, SIDE, SIDE), torch.ones(PUBLISHED_COUNT))
    selector = initial_selector(PUBLISHED_COUNT, seed=0)
    pin = Pin("paper", torch.full((3, SIDE, SIDE), 127.0), basis, selector, PUBLISHED_COUNT // 4)
    return pin.eval().requires_grad_(False)


@in_one_line
def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = Path(os.environ.get("PINWATCH_ASSETS", "../shared/assets"))
    parser.add_argument("--assets", type=Path, default=default, help="folder with models/ and faces/lfw-dev/")
    parser.add_argument("--embedder", default="face-reidentification-retail-0095", metavar="CARD")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    catalogue = Catalogue.load([given.assets / "models"])
    crops = lfw_crops(given.assets, catalogue)
    opened = catalogue.open(given.embedder, ModelKind.EMBEDDER)
    print(f"{given.embedder}, {BATCH} crops, {given.rounds} rounds, {given.threads} threads")
    purifiers = make_purifiers(crops)
    works = work_of(opened, purifiers, crops[:BATCH], given.threads)
    print("\n".join(report(timed_in_turns(works, given.rounds), [name for name, _ in purifiers])))


if __name__ == "__main__":
    main()
