"""People whose faces are attacked, with their consent, and what was found."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from pipeline.robustness.threat import Goal, ThreatModel
from pipeline.types import ByteArray, check_array

CLEAN = "none"
"""Goal, and attack, of a probe that nobody attacks."""

MIN_PHOTOS = 2
"""One to be enrolled with, and one to be a probe."""


def enrolled_of(photos: int) -> int:
    """How many of a canary's photographs its templates are made of: the first half, one at least."""
    return max(1, photos // 2)


@dataclass(frozen=True, slots=True)
class Consent:
    """What somebody agreed to.

    Attributes:
        text: In words.
        taken_by: Who took it down.
        taken_at: When, ISO 8601 UTC.
        until: When all of it is deleted, ISO 8601 UTC.
    """

    text: str
    taken_by: str
    taken_at: str
    until: str

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("a consent without words is none")
        if self.until <= self.taken_at:
            raise ValueError("a consent must last")


@dataclass(frozen=True, slots=True, eq=False)
class NewPhoto:
    """The face that is kept of a photograph.

    Attributes:
        crop_rgb: uint8 (112, 112, 3), aligned.
        quality: 0..1.
        detector_id: Who found it.
    """

    crop_rgb: ByteArray
    quality: float
    detector_id: str

    def __post_init__(self) -> None:
        check_array("crop_rgb", self.crop_rgb, np.uint8, (112, 112, 3))


@dataclass(frozen=True, slots=True)
class CanaryPhoto:
    """A kept face, without its pixels; `enrolled` or a probe."""

    id: str
    position: int
    enrolled: bool
    quality: float
    detector_id: str
    probed_at: str | None


@dataclass(frozen=True, slots=True)
class Canary:
    """Somebody who lets their face be attacked."""

    id: str
    name: str
    consent: Consent
    photos: tuple[CanaryPhoto, ...]

    @property
    def probes(self) -> int:
        return sum(not photo.enrolled for photo in self.photos)


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A kept face with its pixels, as a run takes it; uint8 (112, 112, 3) RGB."""

    photo_id: str
    canary_id: str
    enrolled: bool
    quality: float
    crop_rgb: ByteArray
    probed_at: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """Under what a probe was decided.

    Attributes:
        threat_model: Who attacks; ``T0`` for nobody.
        attack: The field's name of the attack, ``none`` for nobody's.
        eps_255: Budget, L-infinity, 8-bit units.
        goal: ``none``, or what the attacker wanted.
        purified: Whether it was decided behind the purifier in force, or without one.
    """

    threat_model: ThreatModel
    attack: str
    eps_255: float
    goal: str
    purified: bool

    def __post_init__(self) -> None:
        if self.goal not in (CLEAN, Goal.DODGE, Goal.IMPERSONATE):
            raise ValueError(f"goal must be none, dodge or impersonate, not {self.goal!r}")


@dataclass(frozen=True, slots=True)
class Result:
    """One probe under one condition.

    Attributes:
        photo_id: Of the probe.
        condition: See there.
        correct: The similarities alone say what they should: the probe's own person is named; of somebody who
            impersonates, the target is not.
        false_name: The decision as it would be live names somebody else.
        suspected: The decision is `suspected_attack`; ``None`` where evidence is not measured.
    """

    photo_id: str
    condition: Condition
    correct: bool
    false_name: bool
    suspected: bool | None


@dataclass(frozen=True, slots=True)
class Deciding:
    """By what a probe is named: thresholds, and where they come from; `evidence` is ``None`` for none."""

    match: float
    margin: float
    votes: float
    origin: str
    evidence: float | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """In which a run measured.

    Attributes:
        embedder: Model id.
        purifier: Likewise; ``none`` for no purifier.
        align_version: Geometry of the crops.
        thresholds: In force behind the purifier.
        bare: Without the purifier; ``None`` where nothing says.
        gallery_epoch: Of the real gallery, whose people are distractors.
        distractors: How many people of it.
        left_out: How many look like a canary, and so are probably one and no distractors.
        canaries: People.
        templates: Enrolled photographs of theirs.
        probes: All there are.
        probed: Of them in this run.
        canary_set: Digest of whose photographs: it changes when somebody comes or goes.
        eps_255: Budget of attackers who do not know the purifier; `adaptive_eps_255` of those who do.
        steps: Of each attack.
        device: Where the attacks ran.
        seconds: How long the run took, with loading.
    """

    embedder: str
    purifier: str
    align_version: str
    thresholds: Deciding
    bare: Deciding | None
    gallery_epoch: int
    distractors: int
    left_out: int
    canaries: int
    templates: int
    probes: int
    probed: int
    canary_set: str
    eps_255: float
    adaptive_eps_255: float
    steps: int
    device: str
    seconds: float

    @property
    def comparable(self) -> tuple[object, ...]:
        """What two runs must share for their results to be counted together."""
        attack = self.eps_255, self.adaptive_eps_255, self.steps
        return self.embedder, self.purifier, self.align_version, self.thresholds, self.bare, attack

    def to_json(self) -> str:
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Circumstances:
        return msgspec.json.decode(text, type=cls)


class RunState(enum.StrEnum):
    """What became of a run."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    """It came to nothing, and nothing of it counts; its `reason` says why."""


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement, or the attempt at it; times ISO 8601 UTC."""

    id: str
    state: RunState
    reason: str
    started_at: str
    ended_at: str | None
    asked_by: str
    seed: int
    circumstances: Circumstances | None


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What a run found; all of it is kept, or nothing."""

    circumstances: Circumstances
    results: Sequence[Result]
    probed: Sequence[str]
