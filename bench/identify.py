"""How well photographs are identified: LFW people imported into a gallery, others and strangers asked for.

    python -m bench.identify [--assets DIR] [--embedder CARD] [--purifier CARD] [--people N]

People with two or more photographs are imported by the first one, through the same code as
``pinwatch gallery import``; up to three further ones are probes. People with a single photograph are
strangers. Everything goes through the code behind ``pinwatch identify``, and in every photograph the
first face told (the most prominent) counts. LFW's photographs show their person in the middle.

    rank-1            share of probes whose nearest subject is the right one
    FNIR at FPIR f    share of probes not named rightly (wrong nearest subject, or a similarity below
                      the threshold) at the threshold that a share f of strangers reaches

A refused enrollment makes misses of all probes of that person, and so does a probe without a face.

Thresholds come from other people than those scored: people and strangers are split into two halves by
the parity of a checksum of their names; the threshold for one half's probes and strangers is
set on the other half's strangers, and the two results are pooled. The gallery holds all enrolled people
in both cases. What share of strangers then passes in fact is printed beside.
"""

from __future__ import annotations

import argparse
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.errors import in_one_line
from bench.program import ASSETS, add_cards, models_in_words, program
from gallery.enroll import Enrollment, Refusal
from gallery.identify import Identifier, PhotoAnswer
from gallery.importer import ImportReport, Item, Plan, import_items
from gallery.index import FaissIndex
from pipeline.types import Outcome, Verdict
from workers.build import Context

RATES = (0.01, 0.003)
PROBES_EACH = 3
_NOTHING = -2.0
"""The similarity of a photograph that gave no candidate: below any threshold."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """Who is enrolled with what, and who is asked for."""

    enrolled: tuple[Item, ...]
    probes: tuple[Item, ...]
    strangers: tuple[Item, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """One value an item, in the protocol's order.

    Attributes:
        own: Similarity of a probe to its own subject where that is the nearest, else -2.
        half: 0 or 1, which half of the people a probe belongs to.
        stranger: Similarity of a stranger to the nearest subject, or -2.
        stranger_half: The same for strangers.
    """

    own: npt.NDArray[np.float64]
    half: npt.NDArray[np.int64]
    stranger: npt.NDArray[np.float64]
    stranger_half: npt.NDArray[np.int64]


def make_protocol(folder: Path, people: int | None) -> Protocol:
    """Everybody in `folder`, or the first `people` of those with several photographs and of the others."""
    photos = {person.name: sorted(person.glob("*.jpg")) for person in sorted(folder.iterdir())}
    several = [name for name, files in photos.items() if len(files) > 1][:people]
    single = [name for name, files in photos.items() if len(files) == 1][:people]
    return Protocol(
        enrolled=tuple(Item(name, photos[name][0]) for name in several),
        probes=tuple(Item(name, path) for name in several for path in photos[name][1 : 1 + PROBES_EACH]),
        strangers=tuple(Item(name, photos[name][0]) for name in single),
    )


def first_verdicts(identifier: Identifier, items: Sequence[Item]) -> list[Verdict | None]:
    """What is said of the first face of each photograph."""
    answers: Iterable[PhotoAnswer] = identifier.identify(item.path for item in items)
    return [answer.faces[0].verdict if answer.faces else None for answer in answers]


def half_of(name: str) -> int:
    return zlib.crc32(name.encode()) % 2


def score(
    protocol: Protocol,
    names: dict[str, str],
    probes: Sequence[Verdict | None],
    strangers: Sequence[Verdict | None],
) -> Scores:
    def own(item: Item, verdict: Verdict | None) -> float:
        if verdict is None or verdict.similarity is None or verdict.candidate_id is None:
            return _NOTHING
        return verdict.similarity if names[verdict.candidate_id] == item.name else _NOTHING

    def nearest(verdict: Verdict | None) -> float:
        return _NOTHING if verdict is None or verdict.similarity is None else verdict.similarity

    return Scores(
        own=np.array([own(*pair) for pair in zip(protocol.probes, probes, strict=True)]),
        half=np.array([half_of(item.name) for item in protocol.probes]),
        stranger=np.array([nearest(verdict) for verdict in strangers]),
        stranger_half=np.array([half_of(item.name) for item in protocol.strangers]),
    )


def threshold_at(strangers: npt.NDArray[np.float64], fpir: float) -> float:
    """The lowest similarity above all but a share `fpir` of the strangers."""
    ranked = np.sort(strangers)[::-1]
    return float(np.nextafter(ranked[int(fpir * len(ranked))], np.inf))


def crossed(scores: Scores, fpir: float) -> tuple[float, float, list[float]]:
    """FNIR and the FPIR that came out, both pooled over the halves, and the two thresholds."""
    missed = passed = 0
    thresholds = []
    for half in (0, 1):
        threshold = threshold_at(scores.stranger[scores.stranger_half != half], fpir)
        missed += int((scores.own[scores.half == half] < threshold).sum())
        passed += int((scores.stranger[scores.stranger_half == half] >= threshold).sum())
        thresholds.append(threshold)
    return missed / len(scores.own), passed / len(scores.stranger), thresholds


def report(protocol: Protocol, imported: ImportReport, scores: Scores) -> list[str]:
    lines = [
        f"people enrolled     {imported.enrolled} of {len(protocol.enrolled)} "
        f"({len(imported.refused)} refused: {reasons(imported.refused)})",
        f"probes              {len(scores.own)}, strangers {len(scores.stranger)}",
        f"rank-1              {(scores.own > _NOTHING).mean():.4f}",
    ]
    for fpir in RATES:
        fnir, seen, thresholds = crossed(scores, fpir)
        same = threshold_at(scores.stranger, fpir)
        lines.append(
            f"FNIR at FPIR {fpir:<6} {fnir:.4f}   thresholds {thresholds[0]:.4f} and {thresholds[1]:.4f} "
            f"from the other half's strangers; FPIR that came out {seen:.4f}"
        )
        lines.append(
            f"                    {(scores.own < same).mean():.4f}   threshold {same:.4f} from the scored "
            "strangers themselves, only to compare with figures made so"
        )
    return lines


def reasons(refused: Sequence[Enrollment]) -> str:
    counts = {reason: sum(item.refusal is reason for item in refused) for reason in Refusal}
    return ", ".join(f"{count} {reason}" for reason, count in counts.items() if count) or "none"


def outcomes(
    protocol: Protocol,
    names: dict[str, str],
    probes: Sequence[Verdict | None],
    strangers: Sequence[Verdict | None],
) -> list[str]:
    """What the product says at the thresholds in force, without looking at the truth."""
    right = wrong = 0
    for item, verdict in zip(protocol.probes, probes, strict=True):
        if verdict is not None and verdict.subject_id is not None:
            right += names[verdict.subject_id] == item.name
            wrong += names[verdict.subject_id] != item.name
    named = sum(verdict is not None and verdict.outcome is Outcome.KNOWN for verdict in strangers)
    return [
        f"  probes named rightly {right / len(probes):.4f}, wrongly {wrong / len(probes):.4f}; "
        f"strangers named {named / len(strangers):.4f} ({named} of {len(strangers)})"
    ]


def run(context: Context, protocol: Protocol) -> list[str]:
    enroller = context.enroller()
    started = time.perf_counter()
    imported = import_items(Plan(protocol.enrolled, ()), enroller)
    import_s = time.perf_counter() - started
    index = FaissIndex(context.store().snapshot(context.template_key()))
    thresholds = context.thresholds()
    identifier = Identifier(context.vision(), index, thresholds)
    started = time.perf_counter()
    probes = first_verdicts(identifier, protocol.probes)
    strangers = first_verdicts(identifier, protocol.strangers)
    asked = len(protocol.probes) + len(protocol.strangers)
    identify_s = time.perf_counter() - started
    names = {subject.id: subject.name for subject in context.store().subjects()}
    return [
        f"templates by        {context.template_key()}, faces by {context.vision().detector.detector_id}",
        *report(protocol, imported, score(protocol, names, probes, strangers)),
        f"at the thresholds in force (match {thresholds.match}, margin {thresholds.margin}, "
        f"{thresholds.origin}):",
        *outcomes(protocol, names, probes, strangers),
        f"photographs a second: import {len(protocol.enrolled) / import_s:.1f}, "
        f"identify {asked / identify_s:.1f}",
    ]


def parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--assets", type=Path, default=ASSETS, help="folder with models/ and faces/lfw-dev/")
    parser.add_argument("--people", type=int, help="only so many people of each kind, for a quick look")
    add_cards(parser)
    return parser.parse_args()


@in_one_line
def main() -> None:
    arguments = parsed_arguments()
    protocol = make_protocol(arguments.assets / "faces" / "lfw-dev", arguments.people)
    with program(arguments, arguments.assets) as context:
        print(models_in_words(context))
        print("\n".join(run(context, protocol)))


if __name__ == "__main__":
    main()
