"""Numbers of a decision as lengths, for a picture beside the words."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.types import Sighting, Thresholds

WIDTH = 1000
"""Of a scale, in its own units."""

_MOST_EVIDENCE = 2.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on a scale.

    Attributes:
        kind: ``limit`` or ``second``.
        label: What it is.
        at: 0..WIDTH.
        text: Its number.
    """

    kind: str
    label: str
    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A number between its least and its most, and what it is to be held against."""

    label: str
    text: str
    length: int
    marks: tuple[Mark, ...]

    @property
    def in_words(self) -> str:
        """All of it, for whoever does not see it."""
        marks = "".join(f", {mark.label} {mark.text}" for mark in self.marks)
        return f"{self.label} {self.text}{marks}"


def scales_of(sighting: Sighting, now: Thresholds | None) -> list[Scale]:
    """Similarity, votes and attack evidence, as far as there are any.

    Args:
        sighting: The decision, which knows its own match threshold.
        now: Thresholds in force, for limits that a decision does not carry.
    """
    found = []
    if sighting.similarity is not None:
        marks = [_mark("limit", "threshold", sighting.threshold)]
        if sighting.runner_up is not None:
            marks.append(_mark("second", "runner-up", sighting.runner_up))
        found.append(_scale("similarity", sighting.similarity, marks))
        limits = [] if now is None else [_mark("limit", "needed", now.votes)]
        found.append(_scale("votes", sighting.votes, limits))
    if sighting.attack_evidence is not None:
        limit = None if now is None else now.evidence
        limits = [] if limit is None else [_mark("limit", "limit", limit, _MOST_EVIDENCE)]
        found.append(_scale("attack evidence", sighting.attack_evidence, limits, _MOST_EVIDENCE))
    return found


def _scale(label: str, value: float, marks: list[Mark], most: float = 1.0) -> Scale:
    return Scale(label, f"{value:.3f}", _place(value, most), tuple(marks))


def _mark(kind: str, label: str, value: float, most: float = 1.0) -> Mark:
    return Mark(kind, label, _place(value, most), f"{value:.3f}")


def _place(value: float, most: float) -> int:
    return round(min(max(value / most, 0.0), 1.0) * WIDTH)
