"""Measures the thresholds that stand on the embedders' cards, and prints them as YAML.

Uses folds 1 to 3 of LFW only: folds 4 and 5 are kept for scoring. PIN is fitted to two of the three
folds and measured on the third, three times, and the pairs of the three are pooled, so that no face
is purified with a basis that has seen its owner.

    PINWATCH_MODELS=models .venv/bin/python -m bench.card_thresholds --assets ../shared/assets

Similarities are measured as they are used: a template is the mean of a photograph and its mirror
image; a probe is either that as well (`identify`) or one crop of a track (`watch`). The threshold is
the stricter of the two.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from bench.errors import in_one_line
from bench.lfw import Cut, cut_faces_of_people, pair_accuracy
from pipeline.detect.load import load_detector
from pipeline.embed.load import load_embedder
from pipeline.embed.mirrored import embed_photo_crops
from pipeline.models import CardThresholds, Catalogue, ModelKind, StrangerScore
from pipeline.purify.fit import FitOptions, fit_pin, save_fitted
from pipeline.robustness.protocol import Pair, fold_of_people, read_pairs
from pipeline.seams import FaceEmbedder
from pipeline.types import Embedding

DEVELOPMENT_FOLDS = (1, 2, 3)
BATCH = 32
AMBIGUOUS_SHARE = 0.01
"""Of the probes that rightly pass the threshold, this share may be called ambiguous by the margin."""

GALLERY_SIZES = (10, 30, 100, 300, 600)
GALLERY_DRAWS = 20
STRANGERS_FPIR = 0.01

_STEPS = 1000
"""Thresholds are rounded to thousandths: embedders differ in how far apart they hold people."""

PAIRS_RULE = 30
"""No false match rate is claimed with fewer false matches than this (the rule of 30)."""

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """Embeddings of some photographs: of photo and mirror image, and of the plain crop; (N, D) each."""

    cuts: Sequence[Cut]
    mirrored: Scores
    plain: Scores

    @property
    def people(self) -> npt.NDArray[np.str_]:
        return np.array([cut.person for cut in self.cuts])


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Similarities of a setting: genuine, and impostor, largest first."""

    genuine: Scores
    impostor: Scores

    def threshold(self, fmr: float) -> float:
        """The smallest similarity at which no more than `fmr` of the impostors match."""
        return float(self.impostor[int(fmr * len(self.impostor))]) + 1e-6

    def fnmr(self, match: float) -> float:
        return float((self.genuine < match).mean())


def embed_all(cuts: Sequence[Cut], embedder: FaceEmbedder) -> Templates:
    """Both kinds of embedding for each crop."""
    mirrored, plain = [], []
    for start in range(0, len(cuts), BATCH):
        crops = [cut.crop_rgb for cut in cuts[start : start + BATCH]]
        mirrored += embed_photo_crops(crops, embedder)
        plain += embedder.embed(crops)
    return Templates(cuts, _stack(mirrored), _stack(plain))


def _stack(embeddings: Iterable[Embedding]) -> Scores:
    return np.stack([embedding.vector for embedding in embeddings])


def measure(groups: Sequence[Templates], probes: str) -> Measured:
    """All pairs within each group, pooled; `probes` is ``mirrored`` or ``plain``."""
    genuine, impostor = [], []
    for group in groups:
        similarities = getattr(group, probes) @ group.mirrored.T
        same = group.people[:, None] == group.people[None]
        # A photograph against itself says nothing, and with equal embeddings each pair counts once.
        wanted = np.triu(np.ones_like(same), 1) if probes == "mirrored" else ~np.eye(len(same), dtype=bool)
        genuine.append(similarities[same & wanted])
        impostor.append(similarities[~same & wanted])
    return Measured(np.concatenate(genuine), np.sort(np.concatenate(impostor))[::-1])


def leads(group: Templates, match: float) -> tuple[list[float], list[float]]:
    """By how much the best candidate leads the next, for those who pass `match`.

    The gallery is everybody's first photograph; all others are probes; and each person's first one is
    once a probe against a gallery without that person.

    Returns:
        For probes that are named rightly, and for strangers that pass.
    """
    people = group.people
    first = np.unique(people, return_index=True)[1]
    similarities = group.plain @ group.mirrored[first].T
    right: list[float] = []
    wrong: list[float] = []
    for row, person in enumerate(people):
        own = int(np.searchsorted(people[first], person))
        others = np.delete(similarities[row], own)
        best, second = np.sort(others)[-1], np.sort(others)[-2]
        if row in first:
            wrong += [float(best - second)] if best >= match else []
        elif similarities[row, own] >= max(match, best):
            right.append(float(similarities[row, own] - best))
    return right, wrong


def stranger_scores(groups: Sequence[Templates], seed: int = 0) -> list[StrangerScore]:
    """What the most similar of 1 % of strangers score, by how many are enrolled.

    Galleries are drawn from the people of a group, each with their first photograph; strangers are all
    photographs of the others. Sizes that leave fewer strangers than people are left out.
    """
    random, found = np.random.default_rng(seed), []
    for size in GALLERY_SIZES:
        best: list[float] = []
        for group in groups:
            names, first = np.unique(group.people, return_index=True)
            if 2 * size > len(names):
                continue
            similarities = group.plain @ group.mirrored[first].T
            for _ in range(GALLERY_DRAWS):
                enrolled = random.choice(len(names), size, replace=False)
                strangers = ~np.isin(group.people, names[enrolled])
                best += similarities[np.ix_(strangers, enrolled)].max(axis=1).tolist()
        if best:
            similarity = float(np.ceil(np.quantile(best, 1 - STRANGERS_FPIR) * _STEPS) / _STEPS)
            found.append(StrangerScore(size, STRANGERS_FPIR, similarity))
    return found


def report(name: str, purifier: str, groups: Sequence[Templates], pairs: Sequence[Pair], fmr: float) -> None:
    """Print accuracy, the error curve, and the card's entry."""
    print(f"\n{name} behind {purifier}: LFW folds 1-3 {_accuracy(groups, pairs):.4f}")
    people = len(np.unique(np.concatenate([group.people for group in groups])))
    photos = sum(len(group.cuts) for group in groups)
    data = f"LFW, {photos:,} photographs of the {people:,} people of folds 1-3"
    if len(groups) > 1:
        data += ", each fold behind components fitted to the others"
    show_entry(entry_of(purifier, groups, fmr, data))


def entry_of(purifier: str, groups: Sequence[Templates], fmr: float, data: str) -> CardThresholds:
    """The card's entry; prints the error curve that it is read from."""
    photos, crops = measure(groups, "mirrored"), measure(groups, "plain")
    for target in (1e-3, 1e-4, 1e-5, 5e-6):
        print(f"  FMR {target:g}: photo to photo {_at(photos, target)}   crop to photo {_at(crops, target)}")
    supported = max(fmr, PAIRS_RULE / len(photos.impostor))
    strict = max(photos.threshold(supported), crops.threshold(supported))
    match = float(np.ceil(strict * _STEPS) / _STEPS)
    margin = _margin(groups, match)
    print("  largest impostor similarities:", np.round(photos.impostor[:6], 3))
    return CardThresholds(
        purifier,
        match,
        margin,
        fmr=float(f"{supported:.2g}"),
        fnmr=round(photos.fnmr(match), 3),
        impostor_pairs=len(photos.impostor),
        data=data,
        strangers=tuple(stranger_scores(groups)),
    )


def show_entry(entry: CardThresholds) -> None:
    """Print it as it stands in configs/models.yaml."""
    document = {key: value for key, value in asdict(entry).items() if value is not None}
    print(yaml.safe_dump(json.loads(json.dumps([document])), sort_keys=False, width=100))


def _at(measured: Measured, fmr: float) -> str:
    match = measured.threshold(fmr)
    return f"match {match:.3f} FNMR {measured.fnmr(match):.4f}"


def _margin(groups: Sequence[Templates], match: float) -> float:
    found = [leads(group, match) for group in groups]
    right = np.array([lead for group in found for lead in group[0]])
    wrong = np.array([lead for group in found for lead in group[1]])
    margin = float(np.floor(np.quantile(right, AMBIGUOUS_SHARE) * _STEPS) / _STEPS)
    print(f"  leads: {len(right)} named rightly, {len(wrong)} strangers pass; at margin {margin}")
    print(f"  {(right < margin).mean():.4f} of the former, {(wrong < margin).mean():.2f} of the latter fail")
    return margin


def _accuracy(groups: Sequence[Templates], pairs: Sequence[Pair]) -> float:
    similarity: dict[tuple[str, str], float] = {}
    for group in groups:
        row = {cut.photo: n for n, cut in enumerate(group.cuts)}
        for pair in pairs:
            if pair.first in row and pair.second in row:
                one, other = group.plain[row[pair.first]], group.plain[row[pair.second]]
                similarity[pair.first, pair.second] = float(one @ other)
    return pair_accuracy(similarity, [pair for pair in pairs if (pair.first, pair.second) in similarity])


def pin_groups(
    cuts: Sequence[Cut], catalogue: Catalogue, name: str, options: FitOptions, threads: int
) -> list[Templates]:
    """Each fold behind a purifier that was fitted to the other two."""
    groups = []
    for fold in DEVELOPMENT_FOLDS:
        with tempfile.TemporaryDirectory() as folder:
            fitted = fit_pin((cut.crop_rgb for cut in cuts if cut.fold != fold), options)
            save_fitted(fitted, Path(folder), "pin", options)
            purifier = Catalogue.load([Path(folder)]).open("pin", ModelKind.PURIFIER)
            embedder = load_embedder(catalogue.open(name, ModelKind.EMBEDDER), purifier, threads=threads)
        groups.append(embed_all([cut for cut in cuts if cut.fold == fold], embedder))
    return groups


@in_one_line
def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--assets", type=Path, default=Path("../shared/assets"))
    parser.add_argument("--fmr", type=float, default=1e-5)
    parser.add_argument("--components", type=int, default=800)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--embedder", action="append", metavar="CARD", help="default all that there are")
    given = parser.parse_args()
    pairs = read_pairs(given.assets / "faces" / "pairs-dev.txt")
    people = {person: fold for person, fold in fold_of_people(pairs).items() if fold in DEVELOPMENT_FOLDS}
    catalogue = Catalogue.load([given.assets / "models"])
    detector = load_detector(catalogue.open("yunet", ModelKind.DETECTOR), size_px=640, min_score=0.6)
    cuts = cut_faces_of_people(given.assets / "faces" / "lfw-dev", people, detector)
    development = [pair for pair in pairs if pair.fold in DEVELOPMENT_FOLDS]
    print(f"{len(people)} people, {len(cuts)} photographs of folds 1-3")
    for name in given.embedder or [card.name for card in catalogue.cards(ModelKind.EMBEDDER)]:
        opened = catalogue.open(name, ModelKind.EMBEDDER)
        none = catalogue.open("none", ModelKind.PURIFIER)
        plain = embed_all(cuts, load_embedder(opened, none, threads=given.threads))
        report(name, "none", [plain], development, given.fmr)
        options = FitOptions(components=given.components)
        pinned = pin_groups(cuts, catalogue, name, options, given.threads)
        report(name, "pin_topk", pinned, development, given.fmr)


if __name__ == "__main__":
    main()
