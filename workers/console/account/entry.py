"""The pages before and after: login, logout, one-time links, and where one goes first."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pipeline.errors import UsageError
from workers.console.access.cookies import Cookies
from workers.console.access.login import LoggedIn, Login, Refused
from workers.console.access.roles import Permission
from workers.console.access.users import User
from workers.console.oidc.pages import onward
from workers.console.oidc.service import ProviderLogin
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.navigation import places_for
from workers.console.web.pages import THEMES, Pages, go_to, safe_path

WRONG = "The name or the password is not right."
_USED = "this link was used already or is too old: ask an administrator for another"


class EntryPages:
    """Login and logout.

    Args:
        login: Does it.
        cookies: Carry the session.
        pages: Draws.
        provider: The other way in; ``None``: there is none.
    """

    def __init__(
        self, login: Login, cookies: Cookies, pages: Pages, provider: ProviderLogin | None = None
    ) -> None:
        self._login, self._cookies, self._pages = login, cookies, pages
        self._provider = provider

    @needs(Permission.SIGNED_IN)
    def home(self, caller: Caller) -> Response:
        """The first part of the console that the user may go to."""
        places = places_for(caller)
        return go_to(places[0].path if places else "/account")

    @needs(Permission.ANYONE)
    def login_form(self, request: Request, next: str = "/") -> Response:  # noqa: A002 - as browsers say it
        """Where name and password are typed."""
        return self._form(request, safe_path(next))

    def _form(
        self, request: Request, wanted: str, name: str = "", refused: Refused | None = None
    ) -> Response:
        problem = None if refused is None else say(refused)
        status = 200 if refused is None else 429 if refused.wait_s else 401
        values = {"wanted": wanted, "name": name, "problem": problem, "button": self._button}
        answer = self._pages.page(request, "login.html", status=status, **values)
        return _with_wait(answer, refused)

    @needs(Permission.ANYONE)
    def login(
        self,
        request: Request,
        caller: Caller,
        name: Annotated[str, Form(max_length=1000)],
        password: Annotated[str, Form(max_length=10_000)],
        next: Annotated[str, Form()] = "/",  # noqa: A002
    ) -> Response:
        """Log in, and go on to where one wanted to go."""
        old = self._cookies.session_of(request.cookies)
        entered = self._login.enter(name, password, caller.who.address, old)
        if isinstance(entered, Refused):
            return self._form(request, safe_path(next), name, entered)
        return self._logged_in(entered, safe_path(next))

    @property
    def _button(self) -> str | None:
        return None if self._provider is None else self._provider.button

    def _logged_in(self, entered: LoggedIn, path: str) -> Response:
        answer = go_to(path)
        self._cookies.set_session(answer, entered.cookie)
        return answer

    @needs(Permission.SIGNED_IN)
    def logout(self, request: Request, caller: Caller) -> Response:
        """End the session."""
        cookie = self._cookies.session_of(request.cookies)
        farewell = None
        if cookie is not None:
            farewell = None if self._provider is None else self._provider.farewell(cookie)
            self._login.leave(caller, cookie)
        if farewell is None:
            answer = go_to("/login")
        else:
            answer = onward(self._pages, request, farewell, "You are logged out here")
        self._cookies.end_session(answer)
        answer.headers["clear-site-data"] = '"cache", "storage"'
        return answer

    @needs(Permission.ANYONE)
    def welcome_form(self, request: Request, secret: str) -> Response:
        """Where a one-time link leads."""
        invited = self._login.invited(secret)
        if invited is None:
            raise HTTPException(404, _USED)
        return self._welcome(request, secret, invited.user)

    def _welcome(
        self, request: Request, secret: str, user: User | None, name: str = "", problem: str | None = None
    ) -> Response:
        button = self._button if user is not None and user.invited else None
        values = {"user": user, "name": name, "problem": problem, "button": button, "link": secret}
        status = 200 if problem is None else 422
        return self._pages.page(request, "welcome.html", status=status, **values)

    @needs(Permission.ANYONE)
    def welcome(
        self,
        request: Request,
        caller: Caller,
        secret: str,
        password: Annotated[str, Form(max_length=10_000)],
        name: Annotated[str, Form(max_length=1000)] = "",
    ) -> Response:
        """Set the password, and log in."""
        try:
            entered = self._login.accept(secret, name, password, caller.who.address)
        except UsageError as error:
            invited = self._login.invited(secret)
            user = None if invited is None else invited.user
            return self._welcome(request, secret, user, name, str(error))
        if isinstance(entered, Refused):
            raise HTTPException(429 if entered.wait_s else 404, say(entered) if entered.wait_s else _USED)
        return self._logged_in(entered, "/")

    @needs(Permission.ANYONE)
    def theme(
        self,
        theme: Annotated[str, Form()],
        next: Annotated[str, Form()] = "/",  # noqa: A002
    ) -> Response:
        """Dark, light, or as the machine says."""
        answer = go_to(safe_path(next))
        self._cookies.set_theme(answer, theme if theme in THEMES else THEMES[0])
        return answer

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["pages: entry"], default_response_class=Response)
        router.get("/")(self.home)
        router.get("/login")(self.login_form)
        router.post("/login")(self.login)
        router.post("/logout")(self.logout)
        router.get("/welcome/{secret}")(self.welcome_form)
        router.post("/welcome/{secret}")(self.welcome)
        router.post("/theme")(self.theme)
        return router


def say(refused: Refused) -> str:
    """What is said of a login that failed: the same whether or not there is such a user."""
    if not refused.wait_s:
        return WRONG
    return (
        f"Too many attempts failed. The next one is listened to in {max(1, round(refused.wait_s))} seconds."
    )


def _with_wait(answer: Response, refused: Refused | None) -> Response:
    if refused is not None and refused.wait_s:
        answer.headers["retry-after"] = str(max(1, round(refused.wait_s)))
    return answer
