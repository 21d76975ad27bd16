"""Everything that pages and API about sightings stand on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.errors import PinwatchError
from pipeline.types import Thresholds
from workers.console.footage.service import FootageClips
from workers.console.people.service import People
from workers.console.sightings.enrolling import EnrollFromSighting
from workers.console.sightings.judging import Judging
from workers.console.sightings.matches import SearchByFace
from workers.console.sightings.pictures import Pictures
from workers.console.sightings.service import Sightings
from workers.console.sightings.visible import VisibleSightings
from workers.console.unknowns.visible import VisibleGroups


@dataclass(frozen=True, slots=True)
class SightingServices:
    """What can be done with sightings.

    Attributes:
        sightings: Finds and shows them.
        visible: Single ones, as far as a user may see them.
        pictures: Their faces.
        faces: Searches by a face.
        judging: Verdicts.
        enrolling: Enrolls from them.
        people: Whom they are compared with.
        groups: Of unknown people.
        footage: What was filmed around them.
        thresholds: Those in force.
    """

    sightings: Sightings
    visible: VisibleSightings
    pictures: Pictures
    faces: SearchByFace
    judging: Judging
    enrolling: EnrollFromSighting
    people: People
    groups: VisibleGroups
    footage: FootageClips
    thresholds: Callable[[], Thresholds]

    def thresholds_now(self) -> Thresholds | None:
        """Those in force; ``None`` where nothing says which."""
        try:
            return self.thresholds()
        except PinwatchError:
            return None
