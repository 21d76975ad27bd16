"""Records of what attack evidence finds: at a threshold, the share of crops that are above it.

For an attack that is the rate of detection, where nobody attacks (T0) the rate of false alarms.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.robustness.protocol import Split
from pipeline.robustness.records import (
    add_records,
    check_interval,
    check_kind,
    read_records,
    values_of,
)
from pipeline.robustness.results import check_measured, check_numbers
from pipeline.robustness.threat import Goal, ThreatModel

SUBFOLDER = "evidence"
"""Where in a folder of results these records are."""

MOST_EVIDENCE = 2.0
"""Of 1 - cosine."""

_SHARES = ("false_alarm_rate", "false_alarms_on_scored", "detected", "ci_low", "ci_high")


class TakenOff(enum.StrEnum):
    """What is taken off a crop's shift (`pipeline.embed.evidence`)."""

    NOTHING = "nothing"
    NOISE = "noise"
    ALL = "noise and exposure"
    """As the program does."""


@dataclass(frozen=True, slots=True)
class DetectionRate:
    """How often attack evidence is above a threshold under one attack, or without any.

    Attributes:
        defence: Name of the purifier.
        embedder: Name of the embedder behind it.
        threat_model: What the attacker knows.
        goal: What the attacker wants; ``None`` where nobody attacks.
        attack: Name of the attack, with what it was made through; where nobody attacks, what was looked at.
        eps_255: L-infinity budget in 8-bit units, 0..255; 0 where nobody attacks.
        taken_off: What was taken off each crop's shift.
        calibrated_on: Whose unattacked crops set the threshold: `SELECT`, or `SCORE`, which nobody can
            know beforehand.
        threshold: Evidence above it is found, 0..2.
        false_alarm_rate: Share of those unattacked crops that is above it, 0..1, as was asked for.
        false_alarms_on_scored: Of the unattacked crops of those who are scored, 0..1.
        n: Crops, or tracks of a clip; each crop is a track of one. An attack that does not change the
            decision counts as well: it should be found.
        highest: Evidence of the one that has most, 0..2.
        detected: Share of them above the threshold, 0..1.
        ci_low: 95 % interval of `detected`, 0..1, by `pipeline.robustness.statistics`.
        ci_high: See `ci_low`.
        seed: Of everything random.
        command: What made this record, one line.

    Raises:
        ValueError: a value is of another type or out of its range.
    """

    defence: str
    embedder: str
    threat_model: ThreatModel
    goal: Goal | None
    attack: str
    eps_255: float
    taken_off: TakenOff
    calibrated_on: Split
    threshold: float
    false_alarm_rate: float
    false_alarms_on_scored: float
    n: int
    highest: float
    detected: float
    ci_low: float
    ci_high: float
    seed: int
    command: str

    def __post_init__(self) -> None:
        check_measured(self, _SHARES)
        check_kind("taken_off", self.taken_off, TakenOff)
        check_kind("calibrated_on", self.calibrated_on, Split)
        check_numbers(self, dict.fromkeys(("threshold", "highest"), MOST_EVIDENCE))
        check_interval("detected", self.detected, self.ci_low, self.ci_high)

    @property
    def identity(self) -> tuple[Any, ...]:
        """What a second measurement of the same thing shares with the first, and so replaces it."""
        what = self.defence, self.embedder, self.threat_model, self.goal, self.attack, self.eps_255
        return *what, self.taken_off, self.calibrated_on

    def to_record(self) -> dict[str, Any]:
        """As JSON holds it: the fields above in order."""
        return {field: getattr(self, field) for field in FIELDS}


FIELDS = tuple(field.name for field in dataclasses.fields(DetectionRate))

_MEMBERS: dict[str, type[enum.StrEnum]] = {
    "threat_model": ThreatModel,
    "goal": Goal,
    "taken_off": TakenOff,
    "calibrated_on": Split,
}


def rate_from(record: object) -> DetectionRate:
    """The reverse of :meth:`DetectionRate.to_record`.

    Raises:
        ValueError: a field is missing, unknown, or does not fit.
    """
    return DetectionRate(**values_of(record, FIELDS, _MEMBERS))


def read_rates(results: Path) -> list[DetectionRate]:
    """Those that belong to a folder of results: of its :data:`SUBFOLDER`; none where there is no such folder.

    Raises:
        UsageError: what is there cannot be read.
    """
    folder = results / SUBFOLDER
    return read_records(folder, rate_from) if folder.is_dir() else []


def add_rates(path: Path, rates: Iterable[DetectionRate]) -> None:
    """:func:`~pipeline.robustness.records.add_records`, of these."""
    add_records(path, rates, rate_from)
