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
from workers.console.access.identities import Identities
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
from workers.console.alerts.routers import alert_routers
from workers.console.beside import Beside
from workers.console.faces import face_routers
from workers.console.gauge.api import GaugeApi
from workers.console.gauge.pages import GaugePages
from workers.console.gauge.setup import gauge_of
from workers.console.health.installation import site_routers
from workers.console.health.live_status import LiveStatus
from workers.console.oidc.pages import OidcPages
from workers.console.oidc.pending import PendingLogins
from workers.console.oidc.secrets import LoginCookie
from workers.console.oidc.service import ProviderLogin
from workers.console.oidc.setup import provider_login
from workers.console.options import ConsoleOptions, ConsoleParts
from workers.console.users.api import UsersApi
from workers.console.users.pages import UserPages
from workers.console.users.service import Administration
from workers.console.wall.routers import wall_routers
from workers.console.web.application import ConsoleApp
from workers.console.web.failures import Failures
from workers.console.web.pages import Pages
from workers.console.web.problems import PROBLEMS
from workers.console.web.static_files import StaticFiles
from workers.console.web.system import SystemRoutes
from workers.console.web.times import TimeZone
from workers.live.hub import LiveHub
from workers.steps import SightingSink

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
    provider: ProviderLogin | None


@dataclass(frozen=True, slots=True)
class Console:
    """The console, ready to be served.

    Attributes:
        app: Answers requests.
        access: Users and how they come in.
        public: The address that browsers use.
        beside: What whoever serves it has to have working meanwhile.
        hub: What is seen now, for whoever watches.
        sinks: Who is told of decisions, after they are recorded.
        status: How cameras and pipeline are; ``None``: nobody asks.
    """

    app: FastAPI
    access: Access
    public: str
    hub: LiveHub
    beside: tuple[Beside, ...] = ()
    sinks: tuple[SightingSink, ...] = ()
    status: LiveStatus | None = None


def make_console(parts: ConsoleParts, options: ConsoleOptions) -> Console:
    """Make a console.

    Raises:
        ConfigError: there is no such time zone.
    """
    access = make_access(parts, options)
    static = StaticFiles()
    pages = Pages(static, access.cookies, TimeZone(options.time_zone))
    app = ConsoleApp(
        options.origins,
        Failures(pages, options.origins.secure),
        title="Pinwatch",
        version=importlib.metadata.version("pinwatch"),
        openapi_url=None,  # served by a guarded route like all others
        max_body_size=MAX_BODY_BYTES,
    )
    app.state.gate = access.gate
    pages_of, api_of = _parts(parts, options, access, pages)
    for router in (*pages_of, static.router(), SystemRoutes(parts.gallery.epoch).router()):
        app.include_router(router)
    for router in api_of:
        app.include_router(router, prefix=API, responses=PROBLEMS)
    if options.trusted_proxy is not None:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=options.trusted_proxy)
    return Console(app, access, options.origins.public, parts.hub)


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
    return Access(users, groups, tokens, links, login, cookies, gate, _provider(parts, options, login))


def _provider(parts: ConsoleParts, options: ConsoleOptions, login: Login) -> ProviderLogin | None:
    """The other way in, where one is set."""
    if options.oidc is None:
        return None
    database, now_ns = parts.database, parts.clock.now_ns
    return provider_login(
        options.oidc,
        public=options.origins.public,
        login=login,
        identities=Identities(database, now_ns),
        pending=PendingLogins(database, now_ns),
        attempts=Attempts(database, now_ns),
        record=parts.record,
        clock=parts.clock,
    )


def _oidc_pages(access: Access, options: ConsoleOptions, pages: Pages) -> list[APIRouter]:
    if access.provider is None:
        return []
    cookie = LoginCookie(options.origins.secure)
    return [OidcPages(access.provider, access.login, access.cookies, cookie, pages).router()]


def _parts(
    parts: ConsoleParts, options: ConsoleOptions, access: Access, pages: Pages
) -> tuple[list[APIRouter], list[APIRouter]]:
    """Pages and API of every part; a new part is added here and in ``web/navigation.py``."""
    wall_pages, wall_api = wall_routers(parts, options, access.groups, pages)
    faces = face_routers(parts, options, access.groups, pages)
    site = site_routers(parts, access.groups, pages)
    alerts = alert_routers(parts, access.users, access.groups, pages)
    administration = Administration(
        access.users, access.groups, access.links, options.origins.public, parts.record
    )
    tokens = OwnTokens(access.tokens, parts.record)
    gauge = gauge_of(parts)
    pages_of = [
        EntryPages(access.login, access.cookies, pages, access.provider).router(),
        wall_pages,
        *_oidc_pages(access, options, pages),
        *faces.pages,
        *alerts.pages,
        UserPages(administration, pages).router(),
        AccountPages(access.login, tokens, access.cookies, pages).router(),
        *site.pages,
        GaugePages(gauge, options.limits, pages).router(),
    ]
    api_of = [
        wall_api,  # before the cameras' own, in whose place /cameras/live would be a name
        *faces.api,
        *alerts.api,
        UsersApi(administration).router(),
        AccountApi(access.login, tokens, access.cookies).router(),
        GaugeApi(gauge, options.limits).router(),
        *site.api,  # last: what stands behind /cameras/ is taken for a camera's name
    ]
    return pages_of, api_of
