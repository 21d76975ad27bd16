"""Draws pages from templates. Whatever is filled in is escaped; there is no way round it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from workers.console.access.cookies import THEME, Cookies
from workers.console.access.principal import Principal
from workers.console.web.guard import FORM_FIELD
from workers.console.web.navigation import places_for
from workers.console.web.static_files import StaticFiles
from workers.console.web.times import TimeZone

_FOLDER = Path(__file__).parent.parent / "templates"
THEMES = ("auto", "dark", "light")


class Pages:
    """Draws pages.

    Args:
        static: Style sheet and script.
        cookies: Set with pages for whoever is not logged in.
        zone: In which times are shown.
    """

    def __init__(self, static: StaticFiles, cookies: Cookies, zone: TimeZone) -> None:
        self._cookies = cookies
        self._counts: dict[str, Callable[[Principal], int]] = {}
        self.zone = zone
        self._templates = Environment(
            loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._templates.filters["time"] = zone.show
        self._templates.filters["ns_time"] = zone.show_ns
        self._templates.globals.update(static=static.address, zone_name=zone.name, form_field=FORM_FIELD)

    def offer(self, **values: Any) -> None:
        """Have every template know `values`; once, while the console is put together."""
        self._templates.globals.update(values)

    def count(self, path: str, waiting: Callable[[Principal], int]) -> None:
        """Have the place at `path` show how much waits there; once, while the console is put together."""
        self._counts[path] = waiting

    def page(self, request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """A page.

        Args:
            request: Which it answers.
            template: Its file.
            status: HTTP's.
            values: What the template shows.
        """
        principal: Principal | None = getattr(request.state, "principal", None)
        frame = {
            "principal": principal,
            "places": [] if principal is None else places_for(principal),
            "here": request.url.path,
            "waiting": {} if principal is None else self._waiting(principal),
            "theme": _theme(request),
            "form_token": None if principal is None else principal.form_token,
        }
        text = self._templates.get_template(template).render({**frame, **values})
        answer = HTMLResponse(text, status)
        if principal is not None and principal.new_cookie is not None:
            self._cookies.set_form(answer, principal.new_cookie)
        return answer

    def _waiting(self, principal: Principal) -> dict[str, int]:
        paths = {place.path for place in places_for(principal)} & self._counts.keys()
        return {path: self._counts[path](principal) for path in paths}


def _theme(request: Request) -> str:
    chosen = request.cookies.get(THEME, "auto")
    return chosen if chosen in THEMES else "auto"


def go_to(path: str) -> Response:
    """After a form: another page, by GET."""
    return RedirectResponse(path, 303)


def safe_path(wanted: str | None, otherwise: str = "/") -> str:
    """`wanted` if it is a path of ours: nobody is led away from here after logging in."""
    if wanted is None or not wanted.startswith("/") or wanted.startswith(("//", "/\\")):
        return otherwise
    if any(ord(character) < 0x21 or character == "\\" for character in wanted):
        return otherwise
    return wanted
