"""Says who a request comes from, and whether it may go on."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException

from workers.console.access.cookies import Cookies
from workers.console.access.groups import CameraGroups
from workers.console.access.origins import Origins
from workers.console.access.principal import Principal
from workers.console.access.record import Who
from workers.console.access.roles import NOBODY, Permission, Role, permitted
from workers.console.access.secret import form_token, new_secret, same
from workers.console.access.sessions import Sessions
from workers.console.access.tokens import ApiTokens
from workers.console.access.users import User, Users

_BEARER = "bearer "


class Gate:
    """What every route asks first.

    Args:
        users: Who there is.
        groups: Which cameras they see.
        sessions: Who is logged in.
        tokens: Which programs act for them.
        cookies: Where the session's secret is.
        origins: Whose forms are ours.
    """

    def __init__(
        self,
        *,
        users: Users,
        groups: CameraGroups,
        sessions: Sessions,
        tokens: ApiTokens,
        cookies: Cookies,
        origins: Origins,
    ) -> None:
        self._users, self._groups, self._sessions = users, groups, sessions
        self._tokens, self.cookies, self._origins = tokens, cookies, origins

    def identify(self, headers: Mapping[str, str], cookies: Mapping[str, str], address: str) -> Principal:
        """Who it is. A token that is wrong is not made up for by a cookie.

        Raises:
            HTTPException: 401, the token is none, or none any more.
        """
        given = headers.get("authorization")
        if given is not None:
            return self._by_token(given, address)
        cookie = self.cookies.session_of(cookies)
        user_id = None if cookie is None else self._sessions.user_of(cookie)
        user = None if user_id is None else self._users.get(user_id)
        if cookie is None or user is None or user.disabled:
            return self._nobody(self.cookies.form_of(cookies), address)
        return self._user(user, address, form_token(cookie))

    def _by_token(self, given: str, address: str) -> Principal:
        secret = given[len(_BEARER) :].strip() if given.lower().startswith(_BEARER) else ""
        token = self._tokens.find(secret)
        user = None if token is None else self._users.get(token.user_id)
        if token is None or user is None or user.disabled:
            raise HTTPException(401, "the token is not, or no longer, valid")
        permissions = permitted(user.role, frozenset(token.scopes))
        who = Who(user.id, token.id, address, user.name)
        return Principal(who, user.name, user.role, permissions, self._cameras(user), None)

    def _user(self, user: User, address: str, token: str) -> Principal:
        permissions = permitted(user.role)
        who = Who(user.id, None, address, user.name)
        return Principal(who, user.name, user.role, permissions, self._cameras(user), token)

    def _cameras(self, user: User) -> frozenset[str] | None:
        return None if user.role is Role.ADMINISTRATOR else self._groups.visible(user.id)

    def _nobody(self, cookie: str | None, address: str) -> Principal:
        known = cookie or new_secret()
        fresh = known if cookie is None else None
        return Principal(
            Who(None, None, address), "", None, NOBODY, frozenset(), form_token(known), new_cookie=fresh
        )

    def check_permission(self, principal: Principal, needed: Permission) -> None:
        """Raise ``HTTPException``: 401 for whoever is not logged in, else 403."""
        if principal.may(needed):
            return
        if principal.who.user_id is None:
            raise HTTPException(401, "log in first")
        raise HTTPException(403, f"this needs the permission {needed}, which {principal.name} does not have")

    def check_origin(self, principal: Principal, headers: Mapping[str, str]) -> None:
        """Raise ``HTTPException`` 403 unless a page of ours, or a program, opens a socket.

        Browsers let every page open sockets to everywhere, with our cookies, and always say which page it is.
        """
        if principal.who.token_id is None and headers.get("origin") not in self._origins.allowed:
            raise HTTPException(403, "only a page of this console may open this")

    def check_form(self, principal: Principal, headers: Mapping[str, str], given: str | None) -> None:
        """Raise ``HTTPException`` 403 unless a page of ours, shown to this browser, sent the form.

        Args:
            principal: Who sends it.
            headers: Of the request.
            given: The token that came along.
        """
        if principal.form_token is None:
            return
        if not self._origins.sent_by_us(headers) or given is None or not same(given, principal.form_token):
            raise HTTPException(403, "this form is not, or no longer, valid: load the page again")
