"""Subjects' names, looked up where decisions are shown: messages and decisions carry only ids."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping

from pipeline.seams import Clock
from pipeline.types import Sighting

Names = Callable[[Collection[str]], Mapping[str, str]]
"""Gives the names, as they are now, of subjects by id; ids nobody ever had are left out."""


def subject_ids(sightings: Iterable[Sighting]) -> set[str]:
    """Everybody whom these decisions mention: the candidate is the subject wherever there is one."""
    return {sighting.candidate_id for sighting in sightings if sighting.candidate_id is not None}


class CachedNames:
    """Asks the database at most once in `max_age_s` for a name: every frame of a video shows some.

    Args:
        names: Where names come from.
        clock: Time.
        max_age_s: How old a name may be, so that a rename shows while a camera is watched.
    """

    def __init__(self, names: Names, clock: Clock, max_age_s: float = 2.0) -> None:
        self._names = names
        self._clock = clock
        self._max_age_s = max_age_s
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}
        self._forget_at_s = 0.0

    def __call__(self, ids: Collection[str]) -> Mapping[str, str]:
        with self._lock:
            now_s = self._clock.monotonic_s()
            if now_s >= self._forget_at_s:
                self._known.clear()
                self._forget_at_s = now_s + self._max_age_s
            missing = set(ids) - self._known.keys()
            if missing:
                self._known |= self._names(missing)
            return {subject_id: self._known[subject_id] for subject_id in ids if subject_id in self._known}
