"""Decisions as far as a user may see them: the one place that asks whether they do."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.exceptions import HTTPException

from audit.sightings import SightingStore
from gallery.database import Database
from pipeline.types import Revision, Sighting
from workers.console.access.principal import Principal
from workers.console.sightings.tracks import decisions_of_track


class VisibleSightings:
    """Finds single decisions.

    Args:
        database: Where sightings are.
    """

    def __init__(self, database: Database) -> None:
        self._database, self._store = database, SightingStore(database)

    def get(self, principal: Principal, decision_id: str) -> Sighting:
        """Raises ``HTTPException`` 404 where there is none, or none that the user may see."""
        sighting = self._store.get(decision_id)
        if sighting is None or not principal.sees(sighting.camera_id):
            raise HTTPException(404, "there is no such decision, or none that you may see")
        return sighting

    def some(self, principal: Principal, decision_ids: Iterable[str]) -> dict[str, Sighting]:
        """Those that are there and that the user may see, by id."""
        found = (self._store.get(decision_id) for decision_id in decision_ids)
        return {one.decision_id: one for one in found if one is not None and principal.sees(one.camera_id)}

    def last_word(self, sighting: Sighting) -> Sighting:
        """The last decision about the same track: named early must not show what is hidden later."""
        if sighting.revision is Revision.END:
            return sighting
        return decisions_of_track(self._database, sighting)[-1]
