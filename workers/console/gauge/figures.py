"""The numbers of now, each with its interval and with the threat model in words."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.robustness.threat import ThreatModel
from workers.canary.numbers import Line, Numbers, Share
from workers.canary.records import CLEAN, Circumstances


@dataclass(frozen=True, slots=True)
class Figure:
    """One number.

    Attributes:
        key: For programs.
        title: For people.
        value: 0..1; ``None``: not measured.
        low: Lower end of the interval; `high` its upper end, `n` of how many.
        threat_model: Who attacks, in words.
        meaning: What the number says, in a sentence.
        good: Whether more is better.
    """

    key: str
    title: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    threat_model: str
    meaning: str
    good: bool = True


def who_attacks(model: ThreatModel, eps_255: float) -> str:
    """A threat model and its budget in words."""
    if model is ThreatModel.CORRUPTION:
        return "nobody attacks"
    return f"{model}: {model.describes}; every pixel changed by at most {eps_255:g} of 255"


def headline(numbers: Numbers, of: Circumstances) -> list[Figure]:
    """The four that are shown large."""
    purified = of.purifier != CLEAN
    known = who_attacks(ThreatModel.EMBEDDER, of.eps_255)
    everything = (ThreatModel.CORRUPTION, ThreatModel.EMBEDDER)
    return [
        _figure(
            "clean",
            "Named, without an attack",
            numbers.clean(purified),
            "nobody attacks",
            "{count} of {n} faces were named as who they are",
        ),
        _figure(
            "attacked",
            "Withstood, with PIN",
            numbers.attacked(ThreatModel.EMBEDDER, True),
            known,
            "{count} of {n} attacks did not get what they wanted",
        ),
        _figure(
            "attacked_bare",
            "The same attack, without PIN",
            numbers.attacked(ThreatModel.EMBEDDER, False),
            known,
            "{count} of {n} attacks did not get what they wanted",
        ),
        _figure(
            "false_names",
            "Wrong names, as in force",
            numbers.false_names(purified, everything),
            f"nobody attacks, or {known}",
            "{count} of {n} decisions named somebody else",
            good=False,
        ),
    ]


def beside(numbers: Numbers, of: Circumstances) -> list[Figure]:
    """What belongs beside them: stronger attackers, and how often an attack is suspected."""
    known, own, everything = ThreatModel.EMBEDDER, ThreatModel.SURROGATE, ThreatModel.ADAPTIVE
    stopped = "{count} of {n} attacks did not get what they wanted"
    return [
        _figure(
            "surrogate",
            "Withstood, own purifiers tried",
            numbers.attacked(own, True),
            who_attacks(own, of.eps_255),
            stopped,
        ),
        _figure(
            "adaptive",
            "Withstood, all known",
            numbers.attacked(everything, True),
            who_attacks(everything, of.adaptive_eps_255),
            stopped,
        ),
        _figure(
            "suspected",
            "Held as suspected attack",
            numbers.suspected([known]),
            who_attacks(known, of.eps_255),
            "{count} of {n} attacked faces were held as suspected attack",
        ),
        _figure(
            "suspected_clean",
            "Held without an attack",
            numbers.suspected([ThreatModel.CORRUPTION]),
            "nobody attacks",
            "{count} of {n} faces were held though nobody attacked",
            good=False,
        ),
    ]


@dataclass(frozen=True, slots=True)
class Row:
    """One condition of the table, for people and programs."""

    threat_model: str
    attack: str
    eps_255: float
    goal: str
    purified: bool
    correct: Figure
    false_names: int
    suspected: int | None


def rows(numbers: Numbers) -> list[Row]:
    """Everything that was measured, condition by condition."""
    return [_row(line) for line in numbers.lines]


def _row(line: Line) -> Row:
    what = line.condition
    words = who_attacks(what.threat_model, what.eps_255)
    right = _figure("correct", "right", line.correct, words, "{count} of {n}")
    return Row(
        threat_model=what.threat_model.value,
        attack=what.attack,
        eps_255=what.eps_255,
        goal=what.goal,
        purified=what.purified,
        correct=right,
        false_names=line.false_names.count,
        suspected=None if line.suspected is None else line.suspected.count,
    )


def _figure(
    key: str, title: str, share: Share | None, threat_model: str, meaning: str, *, good: bool = True
) -> Figure:
    if share is None:
        return Figure(key, title, None, None, None, 0, threat_model, "not measured", good)
    interval = share.interval
    said = meaning.format(count=share.count, n=share.n)
    return Figure(
        key,
        title,
        round(share.value, 6),
        round(interval.low, 6),
        round(interval.high, 6),
        share.n,
        threat_model,
        said,
        good,
    )
