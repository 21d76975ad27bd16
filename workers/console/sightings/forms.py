"""What is typed above the timeline, and how it comes back into the form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Form, Query

from audit.search.by_face import FaceFilter
from audit.search.sightings import SightingFilter
from pipeline.types import Outcome
from workers.console.web.times import TimeZone

Cameras = Annotated[list[str], Query()]
Outcomes = Annotated[list[Outcome], Query()]
FormCameras = Annotated[list[str], Form()]
FormOutcomes = Annotated[list[Outcome], Form()]
Text = Annotated[str, Form()]


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody looks for, as they typed it."""

    since: str = ""
    until: str = ""
    who: str = ""
    camera: tuple[str, ...] = ()
    outcome: tuple[Outcome, ...] = ()
    like: str = ""

    @classmethod
    def of(cls, camera: list[str], outcome: list[Outcome], **texts: str) -> Typed:
        """ "All cameras" is an empty one."""
        return cls(camera=tuple(name for name in camera if name), outcome=tuple(outcome), **texts)

    def for_sightings(self, zone: TimeZone, meant: Callable[[str], tuple[str, ...]]) -> SightingFilter:
        """Raises ``UsageError`` for a time that is none, ``SubjectNotFound`` for a name that is none."""
        between = zone.typed(self.since), zone.typed(self.until)
        return SightingFilter(*between, self.camera, self.outcome, candidate_ids=meant(self.who))

    def for_faces(self, zone: TimeZone, meant: Callable[[str], tuple[str, ...]]) -> FaceFilter:
        """Likewise; here `who` is whom a track was named as."""
        between = zone.typed(self.since), zone.typed(self.until)
        return FaceFilter(*between, self.camera, self.outcome, subject_ids=meant(self.who))

    def as_values(self) -> dict[str, Any]:
        """For the template."""
        return {name: getattr(self, name) for name in self.__slots__}

    def query(self, **more: str) -> str:
        """As it goes into an address."""
        kept = [(name, value) for name, value in self.as_values().items() if value]
        return urlencode([*kept, *more.items()], doseq=True)
