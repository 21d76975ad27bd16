"""Puts the console together."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from workers.console.access.attempts import Attempts
from workers.console.access.cookies import Cookies
from workers.console.access.gate import Gate
from workers.console.access.groups import CameraGroups
from workers.console.access.links import Links
from workers.console.access.login import Login
from workers.console.access.passwords import Passwords
from workers.console.access.sessions import Sessions
from workers.console.access.tokens import ApiTokens
from workers.console.access.users import Users
from workers.console.account.api import AccountApi
from workers.console.account.entry import EntryPages
from workers.console.account.pages import AccountPages
from workers.console.account.service import OwnTokens
from workers.console.options import ConsoleOptions, ConsoleParts
from workers.console.people.api import PeopleApi
from workers.console.people.desk import EnrollDesk
from workers.console.people.pages import PeoplePages
from workers.console.people.service import People
from workers.console.sightings.api import SightingsApi
from workers.console.sightings.pages import SightingPages
from workers.console.sightings.service import Sightings
from workers.console.users.api import UsersApi
from workers.console.users.pages import UserPages
from workers.console.users.service import Administration
from workers.console.web.failures import Failures
from workers.console.web.headers import SecureHeaders
from workers.console.web.pages import Pages
from workers.console.web.static_files import StaticFiles
from workers.console.web.system import SystemRoutes
from workers.console.web.times import TimeZone

API = "/api/v1"
MAX_BODY_BYTES = 256 * 1024
"""Of requests that bring no photographs."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may do what: the stores, and the gate in front of all routes."""

    users: Users
    groups: CameraGroups
    tokens: ApiTokens
    links: Links
    login: Login
    cookies: Cookies
    gate: Gate


@dataclass(frozen=True, slots=True)
class Console:
    """The console, ready to be served.

    Attributes:
        app: Answers requests.
        access: Users and how they come in.
        public: The address that browsers use.
    """

    app: FastAPI
    access: Access
    public: str


def make_console(parts: ConsoleParts, options: ConsoleOptions) -> Console:
    """Make a console.

    Raises:
        ConfigError: there is no such time zone.
    """
    access = make_access(parts, options)
    static = StaticFiles()
    pages = Pages(static, access.cookies, TimeZone(options.time_zone))
    app = FastAPI(
        title="Pinwatch",
        version=importlib.metadata.version("pinwatch"),
        openapi_url=None,  # served by a guarded route like all others
        max_body_size=MAX_BODY_BYTES,
    )
    app.state.gate = access.gate
    Failures(pages, options.origins.secure).register(app)
    pages_of, api_of = _parts(parts, options, access, pages)
    for router in (*pages_of, static.router(), SystemRoutes(parts.gallery.epoch).router()):
        app.include_router(router)
    for router in api_of:
        app.include_router(router, prefix=API)
    app.add_middleware(SecureHeaders, origins=options.origins)
    if options.trusted_proxy is not None:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=options.trusted_proxy)
    return Console(app, access, options.origins.public)


def make_access(parts: ConsoleParts, options: ConsoleOptions) -> Access:
    """The part that knows who may do what."""
    database, now_ns = parts.database, parts.clock.now_ns
    users, groups, passwords = Users(database, now_ns), CameraGroups(database), Passwords(options.hash_cost)
    sessions, tokens = Sessions(database, options.times, now_ns), ApiTokens(database, now_ns)
    links, cookies = Links(database, passwords, now_ns), Cookies(options.origins.secure)
    login = Login(
        users=users,
        passwords=passwords,
        sessions=sessions,
        attempts=Attempts(database, now_ns),
        links=links,
        record=parts.record,
    )
    gate = Gate(
        users=users,
        groups=groups,
        sessions=sessions,
        tokens=tokens,
        cookies=cookies,
        origins=options.origins,
    )
    return Access(users, groups, tokens, links, login, cookies, gate)


def _parts(
    parts: ConsoleParts, options: ConsoleOptions, access: Access, pages: Pages
) -> tuple[list[APIRouter], list[APIRouter]]:
    """Pages and API of every part; a new part is added here and in ``web/navigation.py``."""
    desk = EnrollDesk(parts.make_enroller, parts.thresholds)
    people = People(parts.gallery, parts.lists, desk, parts.record, parts.changes)
    sightings = Sightings(parts.database, parts.gallery, access.groups, parts.record)
    administration = Administration(
        access.users, access.groups, access.links, options.origins.public, parts.record
    )
    tokens = OwnTokens(access.tokens, parts.record)
    pages_of = [
        EntryPages(access.login, access.cookies, pages).router(),
        SightingPages(sightings, pages).router(),
        PeoplePages(people, options.limits, pages).router(),
        UserPages(administration, pages).router(),
        AccountPages(access.login, tokens, access.cookies, pages).router(),
    ]
    api_of = [
        SightingsApi(sightings).router(),
        PeopleApi(people, options.limits).router(),
        UsersApi(administration).router(),
        AccountApi(access.login, tokens, access.cookies).router(),
    ]
    return pages_of, api_of
