"""The same for programs: ``/api/v1/me`` and ``/api/v1/tokens``."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers.console.access.cookies import Cookies
from workers.console.access.login import Login, Refused
from workers.console.access.roles import Permission, Role
from workers.console.access.tokens import MAX_DAYS, ApiToken
from workers.console.account.entry import say
from workers.console.account.service import NewToken, OwnTokens
from workers.console.web.guard import Caller, guarded_router, needs


class TokenWanted(BaseModel):
    """What the token is for, what it may do, and how long."""

    model_config = ConfigDict(extra="forbid")

    name: str
    scopes: list[Permission]
    days: int = Field(ge=1, le=MAX_DAYS)


class PasswordChange(BaseModel):
    """The old and the new password."""

    model_config = ConfigDict(extra="forbid")

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Me:
    """Who asks, what they may do, and which cameras they see (``None``: all)."""

    user_id: str
    name: str
    role: Role
    permissions: list[Permission]
    cameras: list[str] | None


class AccountApi:
    """One's own account, for programs.

    Args:
        login: Changes passwords.
        tokens: Makes tokens.
        cookies: Carry the session.
    """

    def __init__(self, login: Login, tokens: OwnTokens, cookies: Cookies) -> None:
        self._login, self._tokens, self._cookies = login, tokens, cookies

    @needs(Permission.SIGNED_IN)
    def me(self, caller: Caller) -> Me:
        """Who asks."""
        assert caller.role is not None
        cameras = None if caller.cameras is None else sorted(caller.cameras)
        return Me(caller.user_id, caller.name, caller.role, sorted(caller.permissions), cameras)

    @needs(Permission.OWN_ACCOUNT)
    def change_password(self, caller: Caller, change: PasswordChange) -> Response:
        """Another password; every other session ends, and this one goes on under a new cookie."""
        entered = self._login.change_password(caller, change.old, change.new)
        if isinstance(entered, Refused):
            headers = {"retry-after": str(max(1, round(entered.wait_s)))} if entered.wait_s else None
            raise HTTPException(429 if entered.wait_s else 403, say(entered), headers)
        answer = Response(status_code=204)
        self._cookies.set_session(answer, entered.cookie)
        return answer

    @needs(Permission.OWN_ACCOUNT)
    def list_tokens(self, caller: Caller) -> list[ApiToken]:
        """The newest first."""
        return self._tokens.all(caller)

    @needs(Permission.OWN_ACCOUNT)
    def issue_token(self, caller: Caller, wanted: TokenWanted) -> NewToken:
        """A token; its secret is shown this once."""
        return self._tokens.issue(caller, wanted.name, wanted.scopes, wanted.days)

    @needs(Permission.OWN_ACCOUNT)
    def revoke_token(self, caller: Caller, token_id: str) -> None:
        """A token fewer."""
        self._tokens.revoke(caller, token_id)

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["account"])
        router.get("/me")(self.me)
        router.post("/me/password", status_code=204)(self.change_password)
        router.get("/tokens")(self.list_tokens)
        router.post("/tokens", status_code=201)(self.issue_token)
        router.delete("/tokens/{token_id}", status_code=204)(self.revoke_token)
        return router
