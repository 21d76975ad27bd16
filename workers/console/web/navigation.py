"""What stands at the top of every page: here a new part of the console adds its line."""

from __future__ import annotations

from dataclasses import dataclass

from workers.console.access.principal import Principal
from workers.console.access.roles import Permission


@dataclass(frozen=True, slots=True)
class Place:
    """A part of the console.

    Attributes:
        title: In the bar.
        path: Where it is.
        key: Pressed after ``g``, it leads there.
        needed: Who may not is not shown it.
    """

    title: str
    path: str
    key: str
    needed: Permission


PLACES = (
    Place("Sightings", "/sightings", "s", Permission.READ_SIGHTINGS),
    Place("People", "/people", "p", Permission.READ_PEOPLE),
    Place("Users", "/users", "u", Permission.ADMIN),
)


def places_for(principal: Principal) -> list[Place]:
    """Those that the user may go to."""
    return [place for place in PLACES if principal.may(place.needed)]
