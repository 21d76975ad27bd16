"""The page of one's own account: password and tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from pipeline.errors import UsageError
from workers.console.access.cookies import Cookies
from workers.console.access.login import Login, Refused
from workers.console.access.principal import Principal
from workers.console.access.roles import Permission
from workers.console.access.tokens import MAX_DAYS
from workers.console.account.entry import say
from workers.console.account.service import NewToken, OwnTokens, scopes_of
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages, go_to

Scopes = Annotated[list[Permission], Form()]


class AccountPages:
    """Password and tokens.

    Args:
        login: Changes passwords.
        tokens: Makes tokens.
        cookies: Carry the session.
        pages: Draws.
    """

    def __init__(self, login: Login, tokens: OwnTokens, cookies: Cookies, pages: Pages) -> None:
        self._login, self._tokens, self._cookies, self._pages = login, tokens, cookies, pages

    @needs(Permission.OWN_ACCOUNT)
    def show(self, request: Request, caller: Caller) -> Response:
        """The page."""
        return self._page(request, caller)

    def _page(
        self,
        request: Request,
        caller: Principal,
        *,
        made: NewToken | None = None,
        problem: str | None = None,
    ) -> Response:
        return self._pages.page(
            request,
            "account.html",
            status=200 if problem is None else 422,
            tokens=self._tokens.all(caller),
            scopes=scopes_of(caller),
            made=made,
            problem=problem,
            max_days=MAX_DAYS,
        )

    @needs(Permission.OWN_ACCOUNT)
    def change_password(
        self,
        request: Request,
        caller: Caller,
        old: Annotated[str, Form(max_length=10_000)],
        new: Annotated[str, Form(max_length=10_000)],
    ) -> Response:
        """Another password; every other session ends."""
        try:
            entered = self._login.change_password(caller, old, new)
        except UsageError as error:
            return self._page(request, caller, problem=str(error))
        if isinstance(entered, Refused):
            return self._page(request, caller, problem=say(entered))
        answer = go_to("/account")
        self._cookies.set_session(answer, entered.cookie)
        return answer

    @needs(Permission.OWN_ACCOUNT)
    def issue(
        self,
        request: Request,
        caller: Caller,
        name: Annotated[str, Form()],
        days: Annotated[int, Form()],
        scopes: Scopes = [],  # noqa: B006 - FastAPI copies it
    ) -> Response:
        """A token, shown this once."""
        try:
            made = self._tokens.issue(caller, name, scopes, days)
        except UsageError as error:
            return self._page(request, caller, problem=str(error))
        return self._page(request, caller, made=made)

    @needs(Permission.OWN_ACCOUNT)
    def revoke(self, caller: Caller, token_id: str) -> Response:
        """A token fewer."""
        self._tokens.revoke(caller, token_id)
        return go_to("/account")

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["pages: account"], prefix="/account", default_response_class=Response)
        router.get("")(self.show)
        router.post("/password")(self.change_password)
        router.post("/tokens")(self.issue)
        router.post("/tokens/{token_id}/revoke")(self.revoke)
        return router
