"""The same for programs: ``/api/v1/sightings``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException

from audit.search.sightings import SightingFilter
from pipeline.types import Outcome
from workers.console.access.roles import Permission
from workers.console.sightings.explain import Fact
from workers.console.sightings.service import MAX_PAGE, PAGE, Sightings
from workers.console.web.guard import Caller, guarded_router, needs
from workers.sighting import as_record

Cameras = Annotated[list[str], Query()]
Outcomes = Annotated[list[Outcome], Query()]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


@dataclass(frozen=True, slots=True)
class SightingsFound:
    """Sightings as in ``sightings.jsonl``; `next` is the `after` of the next page."""

    sightings: list[dict[str, Any]]
    next: str | None


@dataclass(frozen=True, slots=True)
class DecisionFound:
    """A decision, what it was made of, and all decisions about the track."""

    sighting: dict[str, Any]
    why: list[Fact]
    history: list[dict[str, Any]]


class SightingsApi:
    """Sightings, for programs.

    Args:
        sightings: Finds them.
    """

    def __init__(self, sightings: Sightings) -> None:
        self._sightings = sightings

    @needs(Permission.READ_SIGHTINGS)
    def list_sightings(
        self,
        caller: Caller,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        camera: Cameras = [],  # noqa: B006 - FastAPI copies it
        outcome: Outcomes = [],  # noqa: B006
        who: str = "",
        run_id: str | None = None,
        after: str | None = None,
        limit: Limit = PAGE,
    ) -> SightingsFound:
        """The last word on every track, the newest first; times need a zone, `who` is a name or an id."""
        people = self._sightings.meant(who)
        wanted = SightingFilter(
            since, until, tuple(camera), tuple(outcome), candidate_ids=people, run_id=run_id
        )
        found = self._sightings.page(caller, wanted, after, limit)
        records = [as_record(sighting, found.names) for sighting in found.sightings]
        return SightingsFound(records, found.next)

    @needs(Permission.READ_SIGHTINGS)
    def show_decision(self, caller: Caller, decision_id: str) -> DecisionFound:
        """One decision, and why."""
        found = self._sightings.show(caller, decision_id)
        if found is None:
            raise HTTPException(404, "there is no such decision, or none that you may see")
        history = [as_record(sighting, found.names) for sighting in found.history]
        return DecisionFound(as_record(found.sighting, found.names), found.why, history)

    def router(self) -> APIRouter:
        """Both."""
        router = guarded_router(tags=["sightings"], prefix="/sightings")
        router.get("")(self.list_sightings)
        router.get("/{decision_id}")(self.show_decision)
        return router
