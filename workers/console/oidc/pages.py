"""The two steps that browsers take: off to the provider, and back."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from workers.console.access.cookies import Cookies
from workers.console.access.login import Login
from workers.console.access.roles import Permission
from workers.console.oidc.flow import ANSWER
from workers.console.oidc.refused import NotAdmitted
from workers.console.oidc.secrets import LoginCookie
from workers.console.oidc.service import ProviderLogin
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages, safe_path

BEGIN = "/oidc/login"


class OidcPages:
    """Off to the provider, and back.

    Args:
        provider: Does it.
        login: Ends the session that a browser had.
        cookies: Carry the session.
        cookie: Carries the login meanwhile.
        pages: Draws.
    """

    def __init__(
        self, provider: ProviderLogin, login: Login, cookies: Cookies, cookie: LoginCookie, pages: Pages
    ) -> None:
        self._provider, self._login = provider, login
        self._cookies, self._cookie, self._pages = cookies, cookie, pages

    @needs(Permission.ANYONE)
    def begin(
        self,
        request: Request,
        caller: Caller,
        next: Annotated[str, Form(max_length=4000)] = "/",  # noqa: A002 - as browsers say it
        link: Annotated[str, Form(max_length=200)] = "",
    ) -> Response:
        """Off to the provider; the session that the browser had ends here.

        Coming back it will not be sent: it is for requests from our own pages alone.
        """
        try:
            begun = self._provider.begin(safe_path(next), link or None, caller.who.address)
        except NotAdmitted as error:
            return self._refused(request, error)
        answer = onward(self._pages, request, begun.address, "To the identity provider")
        old = self._cookies.session_of(request.cookies)
        if old is not None and caller.who.user_id is not None:
            self._login.leave(caller, old)
            self._cookies.end_session(answer)
        self._cookie.set(answer, begun.cookie)
        return answer

    @needs(Permission.ANYONE)
    def answer(self, request: Request, caller: Caller) -> Response:
        """Back from the provider: a session, or a page that says why not."""
        cookie = request.cookies.get(self._cookie.name) or None
        try:
            finished = self._provider.finish(dict(request.query_params), cookie, caller.who.address)
        except NotAdmitted as error:
            answer = self._refused(request, error)
        else:
            answer = onward(self._pages, request, safe_path(finished.wanted), "You are logged in")
            self._cookies.set_session(answer, finished.cookie)
        self._cookie.end(answer)
        return answer

    def _refused(self, request: Request, error: NotAdmitted) -> Response:
        answer = self._pages.page(request, "not_admitted.html", status=error.status, problem=str(error))
        if error.wait_s:
            answer.headers["retry-after"] = str(max(1, round(error.wait_s)))
        return answer

    def router(self) -> APIRouter:
        """Both."""
        router = guarded_router(tags=["pages: entry"], default_response_class=Response)
        router.post(BEGIN)(self.begin)
        router.get(ANSWER)(self.answer)
        return router


def onward(pages: Pages, request: Request, address: str, title: str) -> Response:
    """A page that the browser leaves at once for `address`.

    No redirect: browsers let a form lead to no other site (``form-action``), and send the session's cookie
    only with what one of our own pages asks for.
    """
    quoted = quote(address, safe="/:%#?=@[]!$&'()*+,;")
    answer = pages.page(request, "onward.html", address=quoted, title=title)
    answer.headers["refresh"] = f"0; url={quoted}"
    return answer
