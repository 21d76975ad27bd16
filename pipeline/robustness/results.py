"""Records of what was measured: what defences keep of their accuracy.

A record without its threat model, attack, budget, number of pairs, seed and command cannot be made;
a report is made of records alone (`pipeline.robustness.report`), so that no figure is typed in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

from pipeline.robustness.records import (
    add_records,
    check_count,
    check_interval,
    check_kind,
    check_text,
    number,
    read_records,
    values_of,
    write_records,
)
from pipeline.robustness.threat import Goal, ThreatModel

WORST = "worst"
"""The name in place of an attack's: per pair the worst over all examples of this and weaker threat models."""

CLEAN = "clean"
"""The name in place of an attack's: nothing was changed."""

UNBOUNDED_255 = 255.0
"""The budget of an attack that may change colour values at will (of a patch, say)."""

Identity = tuple[str, str, ThreatModel, Goal | None, str, float]

_SHARES = ("accuracy", "ci_low", "ci_high", "clean_accuracy")
_TEXTS = ("defence", "embedder", "attack", "command")


def check_measured(record: Any, shares: Sequence[str]) -> None:
    """What every measurement of a defence must say: what was attacked, by whom, how, and by which command.

    Numbers become floats in place.

    Args:
        record: Frozen, and under construction.
        shares: Its fields of 0..1.

    Raises:
        ValueError: a value is of another type or out of its range.
    """
    for name in _TEXTS:
        check_text(name, getattr(record, name))
    check_kind("threat_model", record.threat_model, ThreatModel)
    check_kind("goal", record.goal, Goal, NoneType)
    for name, least in (("n", 1), ("seed", 0)):
        check_count(name, getattr(record, name), least)
    check_numbers(record, {"eps_255": UNBOUNDED_255} | dict.fromkeys(shares, 1.0))


def check_numbers(record: Any, most: Mapping[str, float]) -> None:
    """Fields of a frozen record, each 0 to its largest value, become floats in place.

    Raises:
        ValueError: one is no such number.
    """
    for name, largest in most.items():
        object.__setattr__(record, name, number(name, getattr(record, name), largest))


@dataclass(frozen=True, slots=True)
class Result:
    """What one defence kept of its accuracy under one attack.

    Attributes:
        defence: Name of the purifier, or ``none``.
        embedder: Name of the embedder behind it.
        threat_model: What the attacker knows.
        goal: What the attacker wants; ``None`` for both at once, or where nobody wants anything (clean
            photographs, corruptions).
        attack: Name of the attack, with the surrogate that it was made on if there is one;
            :data:`WORST` or :data:`CLEAN` for those two.
        eps_255: L-infinity budget in 8-bit units, 0..255; 0 where none applies (clean, corruptions),
            255 where a region may be changed without bound.
        n: Pairs. All of them: a pair that is wrong without an attack counts as wrong.
        accuracy: Share of them decided rightly, 0..1.
        ci_low: 95 % interval of `accuracy`, 0..1, by `pipeline.robustness.statistics`.
        ci_high: See `ci_low`.
        clean_accuracy: Of the same pairs without an attack, 0..1.
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
    n: int
    accuracy: float
    ci_low: float
    ci_high: float
    clean_accuracy: float
    seed: int
    command: str

    def __post_init__(self) -> None:
        check_measured(self, _SHARES)
        check_interval("accuracy", self.accuracy, self.ci_low, self.ci_high)

    @property
    def identity(self) -> Identity:
        """What a second measurement of the same thing shares with the first, and so replaces it."""
        return self.defence, self.embedder, self.threat_model, self.goal, self.attack, self.eps_255

    def to_record(self) -> dict[str, Any]:
        """As JSON holds it: the fields above in order; threat model as ``T4``, goal as ``dodge``."""
        return {field: getattr(self, field) for field in FIELDS}


FIELDS = tuple(field.name for field in dataclasses.fields(Result))


def result_from(record: object) -> Result:
    """The reverse of :meth:`Result.to_record`.

    Raises:
        ValueError: a field is missing, unknown, or does not fit.
    """
    return Result(**values_of(record, FIELDS, {"threat_model": ThreatModel, "goal": Goal}))


def read_results(path: Path) -> list[Result]:
    """:func:`~pipeline.robustness.records.read_records`, of results."""
    return read_records(path, result_from)


def write_results(path: Path, results: Iterable[Result]) -> None:
    """:func:`~pipeline.robustness.records.write_records`, of results."""
    write_records(path, results)


def add_results(path: Path, results: Iterable[Result]) -> None:
    """:func:`~pipeline.robustness.records.add_records`, of results."""
    add_records(path, results, result_from)
