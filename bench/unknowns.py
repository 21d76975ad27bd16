"""How well tracks of unknown people find together: LFW's photographs as tracks of one crop.

    python -m bench.unknowns [--assets DIR] [--embedder CARD] [--purifier CARD] [--orders N]

People of folds 4 and 5, who trained nothing that ships. The rule is chosen on fold 4 and reported on fold
5: of its thresholds, given as what is added to the one that names subjects, the lowest at which 98 % of the
pairs that were put together are right, among everybody of the fold. A mixed group costs more than a torn one:
it may be enrolled as one person, where two halves are merged with a click. Figures are means over several
orders in which the photographs come.

    pairs right      of all pairs of photographs in one group, the share that show one person
    pairs found      of all pairs of photographs of one person, the share that are in one group
    B-cubed          precision and recall from the view of each photograph, which big groups do not rule
    suggested        of the groups that look most like another, the share that shows the same person
    torn found       of the groups whose person has another group, the share for which it is suggested first

Photographs of one person were taken at different events, months apart: harder than one camera's day.
The last lines are about the size: how quickly a track is placed, and a face found, among many.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from audit.search.by_face import FaceSearch
from audit.search.faces import FaceStore, TrackFace
from audit.unknowns.grouper import Grouper
from audit.unknowns.linkage import BEST_OF, Grouped, Linkage, Pool
from bench.errors import in_one_line
from bench.lfw import Cut, cut_faces_of_people
from bench.program import ASSETS, add_cards, models_in_words, program
from gallery.database import Database
from pipeline.robustness.protocol import fold_of_people, read_pairs
from pipeline.types import Embedding, FloatArray, Outcome, TrackKey
from workers.build import Context

CHOSEN_ON, REPORTED_ON = 4, 5
OFFSETS = (-0.12, -0.09, -0.06, -0.03, 0.0, 0.03, 0.06)
RULES = (1, 2, 3, 5, 1_000_000)
RIGHT = 0.98
SUGGEST_BELOW = 0.15
"""How far below the threshold groups are still shown as alike."""

BATCH = 32
_SIZES = (10_000, 30_000)
_PLACED = 200


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Photographs of some people.

    Attributes:
        names: Who is on each, (N,).
        vectors: float32 (N, D).
    """

    names: npt.NDArray[np.str_]
    vectors: FloatArray

    @property
    def seen_again(self) -> People:
        """Only those of whom there are several."""
        names, counts = np.unique(self.names, return_counts=True)
        several = np.isin(self.names, names[counts > 1])
        return People(self.names[several], self.vectors[several])

    def __str__(self) -> str:
        return f"{len(self.names)} photographs of {len(np.unique(self.names))} people"


@dataclass(frozen=True, slots=True)
class Scores:
    """How good groups are, 0..1 each, and how many there are."""

    pairs_right: float
    pairs_found: float
    right: float
    found: float
    groups: float

    @property
    def f1(self) -> float:
        return 2 * self.right * self.found / (self.right + self.found)


def group(people: People, linkage: Linkage, order: Sequence[int]) -> tuple[Pool, list[str]]:
    """The groups of photographs that come in an order; the second has one id a photograph, as in `people`."""
    pool, where = Pool(), [""] * len(people.names)
    for row in order:
        near = pool.nearest(people.vectors[row], linkage)
        where[row] = near.group_id if near else f"{row:06d}"
        pool.add(Grouped(where[row], where[row], people.vectors[row]))
    return pool, where


def score(names: npt.NDArray[np.str_], where: Sequence[str]) -> Scores:
    groups = np.array(where)
    same_person, same_group = names[:, None] == names, groups[:, None] == groups
    both, together, of_one = (
        (matrix.sum(axis=1)) for matrix in (same_person & same_group, same_group, same_person)
    )
    count = len(names)
    right = int(both.sum()) - count
    return Scores(
        pairs_right=right / max(int(together.sum()) - count, 1),
        pairs_found=right / max(int(of_one.sum()) - count, 1),
        right=float((both / together).mean()),
        found=float((both / of_one).mean()),
        groups=float(len(np.unique(groups))),
    )


def measure(people: People, linkage: Linkage, orders: int) -> Scores:
    """Means over so many orders."""
    found = [score(people.names, group(people, linkage, order)[1]) for order in some_orders(people, orders)]
    columns = ("pairs_right", "pairs_found", "right", "found", "groups")
    return Scores(**{name: float(np.mean([getattr(one, name) for one in found])) for name in columns})


def some_orders(people: People, count: int) -> Iterator[list[int]]:
    return (np.random.default_rng(seed).permutation(len(people.names)).tolist() for seed in range(count))


def suggestions(people: People, linkage: Linkage, orders: int) -> tuple[float, float]:
    """Of first suggestions, the share that is right; of torn groups, the share that gets such a one."""
    told = right = torn = 0
    loose = replace(linkage, threshold=linkage.threshold - SUGGEST_BELOW)
    for order in some_orders(people, orders):
        pool, where = group(people, linkage, order)
        owner = {group_id: _most(people.names[np.array(where) == group_id]) for group_id in set(where)}
        names = list(owner.values())
        for group_id, name in owner.items():
            first = pool.alike(group_id, loose)[:1]
            hit = any(owner[other] == name for other, _ in first)
            told, right, torn = told + len(first), right + hit, torn + (names.count(name) > 1)
    return right / max(told, 1), right / max(torn, 1)


def _most(names: npt.NDArray[np.str_]) -> str:
    found, counts = np.unique(names, return_counts=True)
    return str(found[counts.argmax()])


def choose(people: People, match: float, orders: int) -> tuple[list[tuple[int, float, Scores]], Linkage]:
    """Everything tried, and of the rules that are right often enough the one that finds most pairs."""
    tried = [
        (best_of, offset, measure(people, Linkage(match + offset, best_of), orders))
        for best_of in RULES
        for offset in OFFSETS
    ]
    fit = [one for one in tried if one[2].pairs_right >= RIGHT]
    best_of, offset, _ = max(fit, key=lambda one: one[2].pairs_found)
    return tried, Linkage(match + offset, best_of)


def table(title: str, rows: Sequence[tuple[str, float, Scores]]) -> Table:
    made = Table(
        "mean of", "threshold", "pairs right", "pairs found", "B-cubed", "", "F1", "groups", title=title
    )
    for rule, threshold, scores in rows:
        values = (scores.pairs_right, scores.pairs_found, scores.right, scores.found, scores.f1)
        made.add_row(rule, f"{threshold:.3f}", *(f"{value:.3f}" for value in values), f"{scores.groups:.0f}")
    return made


def in_words(best_of: int) -> str:
    return "all" if best_of == RULES[-1] else f"best {best_of}"


def photographs(context: Context, assets: Path) -> dict[int, People]:
    """Every photograph of the two folds as one crop of a track is embedded."""
    folds = fold_of_people(read_pairs(assets / "faces" / "pairs-dev.txt"))
    wanted = {name: fold for name, fold in folds.items() if fold in (CHOSEN_ON, REPORTED_ON)}
    vision = context.vision()
    cuts = cut_faces_of_people(assets / "faces" / "lfw-dev", wanted, vision.detector)
    return {
        fold: _people([cut for cut in cuts if cut.fold == fold], context) for fold in (CHOSEN_ON, REPORTED_ON)
    }


def _people(cuts: Sequence[Cut], context: Context) -> People:
    embedder = context.vision().embedder
    vectors = [
        embedding.vector
        for start in range(0, len(cuts), BATCH)
        for embedding in embedder.embed([cut.crop_rgb for cut in cuts[start : start + BATCH]])
    ]
    return People(np.array([cut.person for cut in cuts]), np.stack(vectors))


def timings(context: Context, dim: int, size: int) -> str:
    """Among `size` tracks of as many made-up strangers: placing, starting, searching."""
    database = Database.open(context.settings.data / f"timings-{size}")
    key, linkage = context.template_key(), Linkage(0.5)
    random = np.random.default_rng(size)

    def face(number: int) -> TrackFace:
        vector = random.normal(size=dim)
        unit = Embedding((vector / np.linalg.norm(vector)).astype(np.float32), key)
        track = TrackKey("made-up", 0, number)
        return TrackFace(f"{number:08d}", track, None, Outcome.UNKNOWN, None, unit, 0.5)

    store, grouper = FaceStore(database), Grouper(database, key, linkage)
    store.keep([face(number) for number in range(size)])
    started = time.perf_counter()
    while grouper.run():
        pass
    all_s = time.perf_counter() - started
    store.keep([face(size + number) for number in range(_PLACED)])
    started = time.perf_counter()
    grouper.run()
    placed_s = time.perf_counter() - started
    probe = face(-1).embedding
    started = time.perf_counter()
    FaceSearch(database).search(probe)
    searched_s = time.perf_counter() - started
    database.close()
    return (
        f"among {size:,} tracks: {1000 * placed_s / _PLACED:.1f} ms to place one more, "
        f"{all_s:.0f} s to place all, {searched_s:.2f} s to search by a face"
    )


def run(context: Context, assets: Path, orders: int, console: Console) -> None:
    folds = photographs(context, assets)
    match = context.thresholds().match
    chosen_on, reported_on = folds[CHOSEN_ON], folds[REPORTED_ON]
    tried, best = choose(chosen_on, match, orders)
    rows = [(in_words(rule), match + offset, scores) for rule, offset, scores in tried]
    console.print(table(f"fold {CHOSEN_ON}, everybody: {chosen_on}", rows))
    console.print(
        f"{RIGHT:.0%} of pairs right, and most pairs found: mean of the {in_words(best.best_of)} from "
        f"{best.threshold:.3f} on; the default is the best {BEST_OF} from {match:.3f} on"
    )
    for who, people in (("everybody", reported_on), ("seen again", reported_on.seen_again)):
        tried_here = [
            (in_words(BEST_OF), match + offset, measure(people, Linkage(match + offset), orders))
            for offset in OFFSETS
        ]
        console.print(table(f"fold {REPORTED_ON}, {who}: {people}", tried_here))
    right, found = suggestions(reported_on, Linkage(match), orders)
    console.print(f"suggested {right:.3f}, torn found {found:.3f} (everybody of fold {REPORTED_ON})")
    for size in _SIZES:
        console.print(timings(context, reported_on.vectors.shape[1], size))


@in_one_line
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--assets", type=Path, default=ASSETS, help="folder with models/ and faces/lfw-dev/")
    parser.add_argument("--orders", type=int, default=5, help="how many orders photographs come in")
    add_cards(parser)
    arguments = parser.parse_args()
    with program(arguments, arguments.assets) as context:
        print(models_in_words(context))
        run(context, arguments.assets, arguments.orders, Console(width=110))


if __name__ == "__main__":
    main()
