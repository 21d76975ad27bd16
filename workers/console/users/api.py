"""The same for programs: ``/api/v1/users`` and ``/api/v1/groups``."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from workers.console.access.groups import CameraGroup
from workers.console.access.roles import Permission, Role
from workers.console.access.users import User, UserChange
from workers.console.users.service import Administration, Invitation
from workers.console.web.guard import Caller, guarded_router, needs


class NewUser(BaseModel):
    """Whom to invite."""

    model_config = ConfigDict(extra="forbid")

    name: str
    role: Role
    groups: list[str] = []


class ChangedUser(BaseModel):
    """What to change of a user; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    groups: list[str] | None = None
    disabled: bool | None = None


class GroupContent(BaseModel):
    """A group's name and cameras."""

    model_config = ConfigDict(extra="forbid")

    name: str
    cameras: list[str] = []


class UsersApi:
    """Users and groups, for programs.

    Args:
        administration: Does it.
    """

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    @needs(Permission.ADMIN)
    def list_users(self) -> list[User]:
        """Everybody, by name."""
        return self._administration.users()

    @needs(Permission.ADMIN)
    def invite_user(self, caller: Caller, new: NewUser) -> Invitation:
        """Make a user; the link is shown this once."""
        return self._administration.invite(caller, new.name, new.role, new.groups)

    @needs(Permission.ADMIN)
    def change_user(self, caller: Caller, user_id: str, changed: ChangedUser) -> User:
        """Another role, other groups; disable or enable."""
        change = UserChange(changed.role, changed.groups, changed.disabled)
        return self._administration.change(caller, user_id, change)

    @needs(Permission.ADMIN)
    def new_link(self, caller: Caller, user_id: str) -> Invitation:
        """Another link, for a password that was forgotten."""
        return self._administration.new_link(caller, user_id)

    @needs(Permission.ADMIN)
    def list_groups(self) -> list[CameraGroup]:
        """Every group of cameras, by name."""
        return self._administration.groups()

    @needs(Permission.ADMIN)
    def add_group(self, caller: Caller, new: GroupContent) -> CameraGroup:
        """A group more."""
        return self._administration.add_group(caller, new.name, new.cameras)

    @needs(Permission.ADMIN)
    def change_group(self, caller: Caller, group_id: str, content: GroupContent) -> CameraGroup:
        """Another name, other cameras."""
        return self._administration.change_group(caller, group_id, content.name, content.cameras)

    @needs(Permission.ADMIN)
    def remove_group(self, caller: Caller, group_id: str) -> None:
        """A group fewer."""
        self._administration.remove_group(caller, group_id)

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["users"])
        router.get("/users")(self.list_users)
        router.post("/users", status_code=201)(self.invite_user)
        router.patch("/users/{user_id}")(self.change_user)
        router.post("/users/{user_id}/link", status_code=201)(self.new_link)
        router.get("/groups")(self.list_groups)
        router.post("/groups", status_code=201)(self.add_group)
        router.put("/groups/{group_id}")(self.change_group)
        router.delete("/groups/{group_id}", status_code=204)(self.remove_group)
        return router
