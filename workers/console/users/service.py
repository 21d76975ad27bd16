"""What administrators do with users and groups of cameras, for pages and API alike.

All of it is recorded, and before it is done wherever it can be named before: what fails afterwards was tried.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pipeline.errors import UsageError
from workers.console.access.groups import CameraGroup, CameraGroups
from workers.console.access.links import Links
from workers.console.access.principal import Principal
from workers.console.access.record import RecordAccess
from workers.console.access.roles import Role
from workers.console.access.users import User, UserChange, Users


@dataclass(frozen=True, slots=True)
class Invitation:
    """A user, and the address at which they set their password: shown once, good for a day."""

    user: User
    link: str


class Administration:
    """Users and groups.

    Args:
        users: Kept here.
        groups: Kept here.
        links: By which passwords are set.
        public: Address of the console, for links.
        record: Told of every change.
    """

    def __init__(
        self, users: Users, groups: CameraGroups, links: Links, public: str, record: RecordAccess
    ) -> None:
        self._users, self._groups, self._links = users, groups, links
        self._public, self._record = public, record

    def users(self) -> list[User]:
        """Everybody, by name."""
        return self._users.all()

    def groups(self) -> list[CameraGroup]:
        """Every group, by name."""
        return self._groups.all()

    def cameras(self) -> list[str]:
        """Every camera that could be in a group."""
        return self._groups.known_cameras()

    def invite(self, principal: Principal, name: str, role: Role, groups: Collection[str]) -> Invitation:
        """Make a user. Raises ``UsageError`` for a name that is taken, or no name."""
        user = self._users.add(name, role, groups)
        self._record(principal.who, f"user {user.id} invited as {role}", ())
        return self._invitation(user)

    def new_link(self, principal: Principal, user_id: str) -> Invitation:
        """Another link, for a password that was forgotten. Raises ``UsageError``."""
        user = self._users.get(user_id)
        if user is None:
            raise UsageError("there is no such user")
        if user.disabled:
            raise UsageError(f"{user.name} is disabled: enable them first")
        if user.provider is not None:
            raise UsageError(f"{user.name} logs in at {user.provider}, and has no password here")
        self._record(principal.who, f"link made for user {user.id}", ())
        return self._invitation(user)

    def change(self, principal: Principal, user_id: str, change: UserChange) -> User:
        """See :meth:`Users.change`."""
        self._record(principal.who, f"user {user_id} to be changed: {_in_words(change)}", ())
        return self._users.change(user_id, change)

    def add_group(self, principal: Principal, name: str, cameras: Collection[str]) -> CameraGroup:
        """See :meth:`CameraGroups.add`."""
        group = self._groups.add(name, cameras)
        self._record(principal.who, f"group {group.id} made: {', '.join(group.cameras)}", ())
        return group

    def change_group(
        self, principal: Principal, group_id: str, name: str, cameras: Collection[str]
    ) -> CameraGroup:
        """See :meth:`CameraGroups.change`."""
        self._record(principal.who, f"group {group_id} to be changed: {', '.join(sorted(cameras))}", ())
        return self._groups.change(group_id, name, cameras)

    def remove_group(self, principal: Principal, group_id: str) -> None:
        """See :meth:`CameraGroups.remove`."""
        self._record(principal.who, f"group {group_id} to be removed", ())
        self._groups.remove(group_id)

    def _invitation(self, user: User) -> Invitation:
        return Invitation(user, link_address(self._public, self._links.issue(user.id)))


def link_address(public: str, secret: str) -> str:
    """Where the password that goes with a one-time link is set."""
    return f"{public}/welcome/{secret}"


def _in_words(change: UserChange) -> str:
    parts = []
    if change.role is not None:
        parts.append(f"role {change.role}")
    if change.groups is not None:
        parts.append(f"groups {', '.join(sorted(change.groups)) or 'none'}")
    if change.disabled is not None:
        parts.append("disabled" if change.disabled else "enabled")
    return "; ".join(parts) or "nothing"
