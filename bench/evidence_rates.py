"""How often attack evidence finds an attack, at the false alarm rate that it was calibrated to.

    .venv/bin/python -m bench.evidence_rates --faces faces.npz --models ../shared/assets/models --work work \
        --clip ../shared/assets/clips/crowd.mp4 --out docs/robustness/results/evidence/mobilefacenet.jsonl

With --out every figure is a record, and `pinwatch robustness report` prints it. A threshold is the one at
which 1 % of fold 4's unattacked crops are above: all of its photographs, clean and under every corruption of
middle severity (the card's own is stricter). Rates are of fold 5's people, who had no part in it. Each crop
is a track of one. An attack that does not change the decision counts as well: evidence should find it. The
first column is without what is taken off for noise, the second with it, the third also with what is taken
off for exposure, each at its own threshold; the fourth is the third at the threshold at which 1 % of fold
5's own unattacked crops are above, which nobody could know beforehand. Intervals are bootstraps over people.
Below each line is the third column once more, by how dark the crop is (printed only).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from bench.errors import in_one_line
from bench.evidence_crops import ALL, Condition, Floats, Measured, Size, attacked_of, unattacked_of
from pipeline.embed.load import load_network
from pipeline.errors import UsageError
from pipeline.models import Catalogue, ModelKind
from pipeline.purify.load import load_purifier
from pipeline.robustness.controls import SURROGATES, Controls
from pipeline.robustness.defence import Defence
from pipeline.robustness.detection_rates import DetectionRate, TakenOff, add_rates
from pipeline.robustness.examples import ExampleStore
from pipeline.robustness.faces import FacePack, load_faces
from pipeline.robustness.protocol import Split
from pipeline.robustness.statistics import Interval, person_intervals
from workers.build import Context, WatchRequest

FALSE_ALARM_RATE = 0.01


@dataclass(frozen=True, slots=True)
class Threshold:
    """From where on evidence is found: fields as in :class:`DetectionRate`."""

    taken_off: TakenOff
    calibrated_on: Split
    threshold: float
    false_alarms_on_scored: float


@dataclass(frozen=True, slots=True)
class Recorder:
    """Makes records of one defence.

    Attributes:
        defence: Name of the purifier.
        embedder: Name of the embedder.
        thresholds: Of each there is a record.
        seed: Of the measurement, and of the bootstrap.
        command: What made the records.
    """

    defence: str
    embedder: str
    thresholds: Sequence[Threshold]
    seed: int
    command: str

    @property
    def shipped(self) -> Threshold:
        """That of what the program takes off, from people who are not scored."""
        return next(
            each
            for each in self.thresholds
            if (each.taken_off, each.calibrated_on) == (TakenOff.ALL, Split.SELECT)
        )

    def of_crops(self, condition: Condition, measured: Measured) -> list[DetectionRate]:
        """A record a threshold."""
        evidence = np.stack([measured.evidence(each.taken_off) for each in self.thresholds])
        above = evidence > np.array([[each.threshold] for each in self.thresholds])
        intervals = person_intervals(above, measured.people, seed=self.seed)
        return [
            self._rate(condition, threshold, row, interval)
            for threshold, row, interval in zip(self.thresholds, evidence, intervals, strict=True)
        ]

    def of_tracks(self, clip: str, evidence: Floats) -> DetectionRate:
        """Of a clip's tracks, float64 (N,); each counts as a person."""
        alone = [(f"track {number}",) for number in range(len(evidence))]
        above = evidence[np.newaxis] > self.shipped.threshold
        (interval,) = person_intervals(above, alone, seed=self.seed)
        return self._rate(Condition(f"tracks of {clip}"), self.shipped, evidence, interval)

    def _rate(
        self, condition: Condition, threshold: Threshold, evidence: Floats, interval: Interval
    ) -> DetectionRate:
        return DetectionRate(
            defence=self.defence,
            embedder=self.embedder,
            threat_model=condition.threat_model,
            goal=condition.goal,
            attack=condition.attack,
            eps_255=condition.eps_255,
            taken_off=threshold.taken_off,
            calibrated_on=threshold.calibrated_on,
            threshold=threshold.threshold,
            false_alarm_rate=FALSE_ALARM_RATE,
            false_alarms_on_scored=threshold.false_alarms_on_scored,
            n=len(evidence),
            highest=float(evidence.max()),
            detected=float((evidence > threshold.threshold).mean()),
            ci_low=interval.low,
            ci_high=interval.high,
            seed=self.seed,
            command=self.command,
        )


def thresholds_of(select: Measured, score: Measured) -> list[Threshold]:
    """Where `FALSE_ALARM_RATE` of the unattacked crops of `SELECT`, and of `SCORE`, are above."""

    def threshold(taken_off: TakenOff, split: Split, negatives: Measured) -> Threshold:
        value = float(np.quantile(negatives.evidence(taken_off), 1 - FALSE_ALARM_RATE))
        return Threshold(taken_off, split, value, float((score.evidence(taken_off) > value).mean()))

    from_select = [threshold(taken_off, Split.SELECT, select) for taken_off in TakenOff]
    return [*from_select, threshold(TakenOff.ALL, Split.SCORE, score)]


def tracks_of(clip: Path, embedder: str, purifier: str, models: Path) -> Floats:
    """The attack evidence of every track of a clip, float64 (N,), as the program watches it."""
    with tempfile.TemporaryDirectory() as folder:
        context = Context({})
        context.override(data=Path(folder), models=models, embedder=embedder, purifier=purifier)
        with context.session(WatchRequest(sources=(str(clip),))) as session:
            sightings = session.run().sightings
        context.close()
    found = [one.attack_evidence for one in sightings if one.attack_evidence is not None]
    if not found:
        raise UsageError(f"no track of {clip} has attack evidence")
    return np.array(found)


def head(recorder: Recorder) -> str:
    """What the columns are."""
    columns = (
        f"{each.taken_off} taken off ({each.threshold:.3f} from {each.calibrated_on}, "
        f"false alarms {each.false_alarms_on_scored:.3f})"
        for each in recorder.thresholds
    )
    return (
        f"{recorder.embedder} behind {recorder.defence}: share of crops with evidence above the threshold\n"
        f"  {', '.join(columns)}"
    )


def line(name: object, rates: Sequence[DetectionRate]) -> str:
    """Shares above the thresholds, with their intervals."""
    cells = (f"{rate.detected:.3f} [{rate.ci_low:.3f}, {rate.ci_high:.3f}]" for rate in rates)
    return f"  {name!s:<52} {'  '.join(cells)}  of {rates[0].n}"


def by_luma(measured: Measured, threshold: float, bounds: tuple[float, float]) -> str:
    """Shares above the shipped threshold, of the crops below, between and above `bounds` of mean luma."""
    above, third = measured.evidence(TakenOff.ALL) > threshold, np.digitize(measured.luma, bounds)
    groups = [above[third == each] for each in range(3)]
    cells = (f"{group.mean():.3f} of {len(group)}" if len(group) else "-" for group in groups)
    return f"    darkest, middle, brightest third: {', '.join(cells)}"


def measure(
    pack: FacePack,
    defence: Defence,
    surrogates: Mapping[str, nn.Module],
    store: ExampleStore,
    size: Size,
    *,
    command: str,
    tracks: tuple[str, Floats] | None = None,
) -> Iterator[list[DetectionRate]]:
    """The records, condition by condition; prints them as well.

    Args:
        pack, defence, surrogates, store, size: As in :func:`~bench.evidence_crops.attacked_of`.
        command: What to write into the records.
        tracks: Name of a clip and the evidence of its tracks, float64 (N,).
    """
    select, score = (unattacked_of(pack, split, defence, size) for split in (Split.SELECT, Split.SCORE))
    negatives = Measured.joined(list(score.values()))
    thresholds = thresholds_of(Measured.joined(list(select.values())), negatives)
    recorder = Recorder(defence.name, defence.embedder, thresholds, size.seed, command)
    dark, bright = np.quantile(negatives.luma, (1 / 3, 2 / 3))
    print(head(recorder), flush=True)

    def tell(condition: Condition, measured: Measured) -> list[DetectionRate]:
        rates = recorder.of_crops(condition, measured)
        print(line(condition, rates))
        print(by_luma(measured, recorder.shipped.threshold, (dark, bright)), flush=True)
        return rates

    yield tell(Condition("clean and corrupted"), negatives)
    for name, measured in score.items():
        yield tell(Condition(name), measured)
    if tracks is not None:
        rate = recorder.of_tracks(*tracks)
        print(f"{line(rate.attack, [rate])}, highest {rate.highest:.3f}", flush=True)
        yield [rate]
    for condition, measured in attacked_of(pack, defence, surrogates, store, size):
        yield tell(condition, measured)


@in_one_line
def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder for examples, to go on from")
    parser.add_argument("--clip", type=Path, help="footage without an attack: crowd.mp4")
    parser.add_argument("--embedder", default="mobilefacenet")
    parser.add_argument("--purifier", default="pinwatch-pin")
    parser.add_argument(
        "--photographs",
        type=number_or_all,
        metavar="N",
        help="unattacked ones of each fold, drawn at random; default all",
    )
    parser.add_argument(
        "--pairs", type=number_or_all, default=100, metavar="N", help="attacked ones a goal, or `all`"
    )
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, metavar="FILE", help="records (.jsonl), added to")
    given = parser.parse_args()
    size = Size(given.photographs, given.pairs, given.steps, given.seed)
    command = f"python -m bench.evidence_rates --embedder {given.embedder} --purifier {given.purifier} {size}"
    pack, catalogue = load_faces(given.faces), Catalogue.load([given.models])
    network = load_network(catalogue.open(given.embedder, ModelKind.EMBEDDER))
    purifier = load_purifier(catalogue.open(given.purifier, ModelKind.PURIFIER))
    defence = Defence(given.purifier, given.embedder, purifier, network)
    controls = Controls(pack, given.work / "controls")
    surrogates = {name: controls.get(name) for name in SURROGATES}
    tracks = None
    if given.clip:
        found = tracks_of(given.clip, given.embedder, given.purifier, given.models)
        command, tracks = f"{command} --clip {given.clip.name}", (given.clip.name, found)
    store = ExampleStore(given.work)
    for rates in measure(pack, defence, surrogates, store, size, command=command, tracks=tracks):
        if given.out:
            add_rates(given.out, rates)


def number_or_all(text: str) -> int | None:
    """How many, as an option has it; ``None`` for all."""
    if text == ALL:
        return None
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"at least 1, or {ALL}")
    return int(text)


if __name__ == "__main__":
    main()
