"""Why something was decided, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.types import Outcome, Sighting


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of an explanation: what, how much, and what it means."""

    label: str
    value: str
    meaning: str


_MEANING = {
    Outcome.KNOWN: "named: the nearest person reaches the threshold and leads clearly",
    Outcome.AMBIGUOUS: "not named: two enrolled people are too much alike",
    Outcome.UNKNOWN: "seen well, and nobody who is enrolled",
    Outcome.LOW_QUALITY: "never seen well enough to compare",
    Outcome.SUSPECTED_ATTACK: "not named: somebody may have changed what the camera saw",
}


def meaning_of(outcome: Outcome) -> str:
    """What an outcome means, in a few words."""
    return _MEANING[outcome]


def explain(sighting: Sighting, names: Mapping[str, str]) -> list[Fact]:
    """What a decision was made of, in the order in which it was weighed.

    Args:
        sighting: The decision.
        names: Of its subjects, by id.
    """
    return [*_evidence(sighting), *_comparison(sighting, names), *_seen(sighting)]


def _evidence(sighting: Sighting) -> Iterator[Fact]:
    if sighting.attack_evidence is None:
        yield Fact("attack evidence", "not measured", "no purifier, or nothing to compare")
        return
    suspected = sighting.outcome is Outcome.SUSPECTED_ATTACK
    meaning = "more than faces that nobody attacked show" if suspected else "not above the limit"
    yield Fact("attack evidence", f"{sighting.attack_evidence:.3f}", meaning)


def _comparison(sighting: Sighting, names: Mapping[str, str]) -> Iterator[Fact]:
    if sighting.similarity is None:
        yield Fact("similarity", "none", "nothing was compared, or nobody is enrolled")
        return
    nearest = names.get(sighting.candidate_id or "", sighting.candidate_id or "nobody")
    reached = "reaches" if sighting.similarity >= sighting.threshold else "is below"
    threshold = f"{reached} the threshold {sighting.threshold:.3f} ({sighting.threshold_origin})"
    yield Fact("similarity", f"{sighting.similarity:.3f}", f"to {nearest}, the nearest person; {threshold}")
    if sighting.runner_up is None:
        yield Fact("runner-up", "none", "nobody else is enrolled to be confused with")
    else:
        yield Fact("runner-up", f"{sighting.runner_up:.3f}", "similarity of the next person")
    if sighting.margin is not None:
        yield Fact("margin", f"{sighting.margin:.3f}", "by which the nearest person leads the next one")
    yield Fact("votes", f"{sighting.votes:.0%}", "of the pictures, by quality, name the nearest person")


def _seen(sighting: Sighting) -> Iterator[Fact]:
    yield Fact("pictures", str(sighting.frames), f"of the face, of which {sighting.crops} were compared")
    for cause, count in sorted(sighting.dropped_by_cause.items()):
        yield Fact("left out", str(count), cause.replace("_", " "))
