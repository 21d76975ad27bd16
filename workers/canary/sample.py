"""Which probes are attacked next: those that waited longest, so that over a day all have their turn."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workers.canary.records import Face


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A face that is attacked, and whom it shall be taken for (``None``: there is nobody else)."""

    face: Face
    target: str | None


def in_turn(faces: Sequence[Face], seed: int) -> list[Probe]:
    """All probes, those that waited longest first; targets are drawn by `seed`.

    Only canaries with an enrolled photograph have a turn, and can be a target.
    """
    people = sorted({face.canary_id for face in faces if face.enrolled})
    waiting = [face for face in faces if not face.enrolled and face.canary_id in people]
    waiting.sort(key=lambda face: (face.probed_at or "", face.photo_id))
    random = np.random.default_rng(seed)
    return [Probe(face, _target(face, people, random)) for face in waiting]


def _target(face: Face, people: Sequence[str], random: np.random.Generator) -> str | None:
    others = [one for one in people if one != face.canary_id]
    return others[int(random.integers(len(others)))] if others else None


def digest_of(faces: Sequence[Face]) -> str:
    """Of whose photographs there are: another one when somebody comes or goes."""
    text = "\n".join(sorted(face.photo_id for face in faces))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
