"""Who a request comes from, and what they may do and see."""

from __future__ import annotations

from dataclasses import dataclass

from workers.console.access.record import Who
from workers.console.access.roles import Permission, Role


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request comes from.

    Attributes:
        who: For the record.
        name: For people; empty for whoever is not logged in.
        role: Theirs; ``None`` likewise.
        permissions: What they may do.
        cameras: What they see; ``None``: all.
        form_token: What their forms must bring along; ``None`` where no browser sends credentials by itself.
        new_cookie: To be set with the next page: the cookie that `form_token` belongs to.
    """

    who: Who
    name: str
    role: Role | None
    permissions: frozenset[Permission]
    cameras: frozenset[str] | None
    form_token: str | None
    new_cookie: str | None = None

    @property
    def user_id(self) -> str:
        """Of whoever is logged in.

        Raises:
            ValueError: nobody is; a route that asks for a permission never sees that.
        """
        if self.who.user_id is None:
            raise ValueError("nobody is logged in")
        return self.who.user_id

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def sees(self, camera_id: str) -> bool:
        return self.cameras is None or camera_id in self.cameras
