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
    Place("Live", "/live", "l", Permission.READ_LIVE),
    Place("Alerts", "/alerts", "a", Permission.READ_ALERTS),
    Place("Sightings", "/sightings", "s", Permission.READ_SIGHTINGS),
    Place("People", "/people", "p", Permission.READ_PEOPLE),
    Place("Unknown", "/unknowns", "n", Permission.READ_PEOPLE),
    Place("Lists", "/lists", "w", Permission.READ_PEOPLE),
    Place("Cameras", "/cameras", "c", Permission.READ_CAMERAS),
    Place("Health", "/health", "h", Permission.READ_HEALTH),
    Place("Robustness", "/robustness", "r", Permission.READ_HEALTH),
    Place("Audit", "/audit", "d", Permission.READ_AUDIT),
    Place("Users", "/users", "u", Permission.ADMIN),
)


def places_for(principal: Principal) -> list[Place]:
    """Those that the user may go to."""
    return [place for place in PLACES if principal.may(place.needed)]
