"""Pages about users and groups of cameras."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from workers.console.access.roles import PERMISSIONS, Permission, Role
from workers.console.access.users import UserChange
from workers.console.users.service import Administration, Invitation
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages, go_to

Many = Annotated[list[str], Form()]


class UserPages:
    """Users, their roles and cameras.

    Args:
        administration: Does it.
        pages: Draws.
    """

    def __init__(self, administration: Administration, pages: Pages) -> None:
        self._administration, self._pages = administration, pages

    @needs(Permission.ADMIN)
    def show_all(self, request: Request) -> Response:
        """Everybody, and every group."""
        return self._page(request, None)

    def _page(self, request: Request, invitation: Invitation | None) -> Response:
        values: dict[str, Any] = {
            "users": self._administration.users(),
            "groups": self._administration.groups(),
            "cameras": self._administration.cameras(),
            "roles": list(Role),
            "permissions": PERMISSIONS,
            "invitation": invitation,
        }
        return self._pages.page(request, "users.html", **values)

    @needs(Permission.ADMIN)
    def invite(
        self,
        request: Request,
        caller: Caller,
        name: Annotated[str, Form()],
        role: Annotated[Role, Form()],
        groups: Many = [],  # noqa: B006 - FastAPI copies it
    ) -> Response:
        """Make a user, and show their link."""
        return self._page(request, self._administration.invite(caller, name, role, groups))

    @needs(Permission.ADMIN)
    def new_link(self, request: Request, caller: Caller, user_id: str) -> Response:
        """Another link for a user."""
        return self._page(request, self._administration.new_link(caller, user_id))

    @needs(Permission.ADMIN)
    def change(
        self,
        caller: Caller,
        user_id: str,
        role: Annotated[Role, Form()],
        groups: Many = [],  # noqa: B006
    ) -> Response:
        """Another role, other groups."""
        self._administration.change(caller, user_id, UserChange(role, groups))
        return go_to("/users")

    @needs(Permission.ADMIN)
    def disable(self, caller: Caller, user_id: str) -> Response:
        """No login any more."""
        self._administration.change(caller, user_id, UserChange(disabled=True))
        return go_to("/users")

    @needs(Permission.ADMIN)
    def enable(self, caller: Caller, user_id: str) -> Response:
        """Login again."""
        self._administration.change(caller, user_id, UserChange(disabled=False))
        return go_to("/users")

    @needs(Permission.ADMIN)
    def add_group(
        self,
        caller: Caller,
        name: Annotated[str, Form()],
        cameras: Many = [],  # noqa: B006
    ) -> Response:
        """A group more."""
        self._administration.add_group(caller, name, cameras)
        return go_to("/users")

    @needs(Permission.ADMIN)
    def change_group(
        self,
        caller: Caller,
        group_id: str,
        name: Annotated[str, Form()],
        cameras: Many = [],  # noqa: B006
    ) -> Response:
        """Another name, other cameras."""
        self._administration.change_group(caller, group_id, name, cameras)
        return go_to("/users")

    @needs(Permission.ADMIN)
    def remove_group(self, caller: Caller, group_id: str) -> Response:
        """A group fewer."""
        self._administration.remove_group(caller, group_id)
        return go_to("/users")

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["pages: users"], default_response_class=Response)
        router.get("/users")(self.show_all)
        router.post("/users")(self.invite)
        router.post("/users/{user_id}")(self.change)
        router.post("/users/{user_id}/link")(self.new_link)
        router.post("/users/{user_id}/disable")(self.disable)
        router.post("/users/{user_id}/enable")(self.enable)
        router.post("/groups")(self.add_group)
        router.post("/groups/{group_id}")(self.change_group)
        router.post("/groups/{group_id}/remove")(self.remove_group)
        return router
