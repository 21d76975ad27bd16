"""Puts the wall together."""

from __future__ import annotations

from fastapi import APIRouter

from workers.console.access.groups import CameraGroups
from workers.console.options import ConsoleOptions, ConsoleParts
from workers.console.sightings.service import Sightings
from workers.console.wall.api import WallApi
from workers.console.wall.pages import WallPages
from workers.console.wall.service import Wall
from workers.console.wall.socket import SocketRoute
from workers.console.web.pages import Pages
from workers.names import CachedNames


def wall_routers(
    parts: ConsoleParts, options: ConsoleOptions, groups: CameraGroups, pages: Pages
) -> tuple[APIRouter, APIRouter]:
    """Its pages, and its API."""
    wall = Wall(parts.hub, CachedNames(parts.gallery.names, parts.clock), parts.record)
    sightings = Sightings(parts.database, parts.gallery, groups, parts.record)
    socket = SocketRoute(wall, parts.clock, options.live_check_s)
    return WallPages(wall, sightings, pages, socket).router(), WallApi(wall).router()
