"""Puts together the parts about people: sightings, people, unknown people, watch lists, footage."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from audit.unknowns.groups import GroupStore
from audit.verdicts import VerdictStore
from workers.console.access.groups import CameraGroups
from workers.console.footage.cache import ClipCache
from workers.console.footage.routes import FootageRoutes
from workers.console.footage.service import FootageClips
from workers.console.lists.api import ListsApi
from workers.console.lists.pages import ListPages
from workers.console.lists.service import Lists
from workers.console.options import ConsoleOptions, ConsoleParts
from workers.console.people.api import PeopleApi
from workers.console.people.desk import EnrollDesk
from workers.console.people.erase_pages import EraseApi, ErasePages
from workers.console.people.erasing import Erasing
from workers.console.people.pages import PeoplePages
from workers.console.people.receipts import Receipts
from workers.console.people.service import People
from workers.console.sightings.api import SightingsApi
from workers.console.sightings.decision_api import DecisionApi
from workers.console.sightings.decision_pages import DecisionPages
from workers.console.sightings.enrolling import EnrollFromSighting
from workers.console.sightings.judging import Judging
from workers.console.sightings.matches import SearchByFace
from workers.console.sightings.pages import SightingPages
from workers.console.sightings.pictures import Pictures
from workers.console.sightings.service import Sightings
from workers.console.sightings.services import SightingServices
from workers.console.sightings.visible import VisibleSightings
from workers.console.unknowns.api import UnknownsApi
from workers.console.unknowns.pages import UnknownPages
from workers.console.unknowns.service import Unknowns
from workers.console.unknowns.visible import VisibleGroups
from workers.console.web.pages import Pages


@dataclass(frozen=True, slots=True)
class FaceRouters:
    """Routers of pages, and of the API."""

    pages: list[APIRouter]
    api: list[APIRouter]


def face_routers(
    parts: ConsoleParts, options: ConsoleOptions, groups: CameraGroups, pages: Pages
) -> FaceRouters:
    """All that shows faces.

    Args:
        parts: What the console works on.
        options: How it behaves.
        groups: Who sees which cameras.
        pages: Draws.
    """
    desk = EnrollDesk(parts.make_enroller, parts.thresholds)
    people = People(parts.gallery, parts.lists, desk, parts.record, parts.changes)
    lists = Lists(parts.lists, parts.gallery, parts.record, parts.changes)
    receipts = Receipts(parts.database.folder)
    erasing = Erasing(parts.database, parts.gallery, parts.make_eraser, receipts, parts.record)
    do = _sighting_services(parts, options, groups, desk, people)
    store = GroupStore(parts.database, now_ns=parts.clock.now_ns)
    unknowns = Unknowns(
        groups=store,
        seen=do.groups,
        sightings=do.visible,
        gallery=parts.gallery,
        enrolling=do.enrolling,
        thresholds=parts.thresholds,
        record=parts.record,
    )
    return FaceRouters(
        pages=[
            SightingPages(do, options.limits, pages).router(),
            DecisionPages(do, pages).router(),
            ErasePages(erasing, pages).router(),
            PeoplePages(people, lists, options.limits, pages).router(),
            ListPages(lists, pages).router(),
            UnknownPages(unknowns, do.pictures, people, do.sightings.cameras, pages).router(),
            FootageRoutes(do.footage).pages(),
        ],
        api=[
            SightingsApi(do, options.limits).router(),
            DecisionApi(do).router(),
            PeopleApi(people, options.limits).router(),
            EraseApi(erasing).router(),
            ListsApi(lists).router(),
            UnknownsApi(unknowns).router(),
            FootageRoutes(do.footage).api(),
        ],
    )


def _sighting_services(
    parts: ConsoleParts,
    options: ConsoleOptions,
    groups: CameraGroups,
    desk: EnrollDesk,
    people: People,
) -> SightingServices:
    database, record, clock = parts.database, parts.record, parts.clock
    visible, seen = VisibleSightings(database), VisibleGroups(database)
    pictures = Pictures(visible, parts.crops, options.blur_unknown, record)
    unknown = GroupStore(database, now_ns=clock.now_ns)
    append = None if parts.ledger is None else parts.ledger.append
    verdicts = VerdictStore(database, now_ns=clock.now_ns)
    cache = ClipCache(clock.monotonic_s)
    return SightingServices(
        sightings=Sightings(database, parts.gallery, groups, record),
        visible=visible,
        pictures=pictures,
        faces=SearchByFace(database, visible, parts.gallery, desk, record),
        judging=Judging(visible, verdicts, parts.gallery, record, append),
        enrolling=EnrollFromSighting(
            sightings=visible,
            pictures=pictures,
            people=people,
            seen=seen,
            groups=unknown,
            record=record,
        ),
        people=people,
        groups=seen,
        footage=FootageClips(parts.recordings, database, cache, record, clock.monotonic_s),
        thresholds=parts.thresholds,
    )
