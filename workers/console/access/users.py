"""Users of the console."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, insert, select, update

from gallery.database import Database
from gallery.names import clean_name
from gallery.store import random_id
from gallery.tables import (
    console_groups,
    console_identities,
    console_sessions,
    console_user_groups,
    console_users,
)
from gallery.times import utc_text_from_ns
from pipeline.errors import UsageError
from workers.console.access.roles import Role


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may use the console.

    Attributes:
        id: Opaque; what records carry.
        name: With which they log in.
        role: What they may do.
        groups: Ids of camera groups whose cameras they see.
        invited: They have not come yet: no password, no identity provider.
        disabled: They may not log in.
        created_at: ISO 8601 UTC.
        provider: The identity provider (its issuer) through which they come in; ``None``: by a password.
    """

    id: str
    name: str
    role: Role
    groups: tuple[str, ...]
    invited: bool
    disabled: bool
    created_at: str
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class UserChange:
    """What to change of a user; ``None`` leaves it as it is."""

    role: Role | None = None
    groups: Collection[str] | None = None
    disabled: bool | None = None


class Users:
    """All users. Every method is one transaction.

    Args:
        database: Where they are kept.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
    """

    def __init__(self, database: Database, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._database = database
        self._now_ns = now_ns

    def all(self) -> list[User]:
        """Everybody, by name."""
        with self._database.read() as connection:
            rows = connection.execute(select(console_users).order_by(console_users.c.name)).mappings()
            return [_user(connection, row) for row in rows.all()]

    def get(self, user_id: str) -> User | None:
        """The user of that id."""
        with self._database.read() as connection:
            return find_user(connection, console_users.c.user_id == user_id)

    def named(self, name: str) -> User | None:
        """The user of that name."""
        with self._database.read() as connection:
            return find_user(connection, console_users.c.name == name)

    def password_hash(self, user_id: str) -> str | None:
        with self._database.read() as connection:
            query = select(console_users.c.password_hash).where(console_users.c.user_id == user_id)
            return connection.execute(query).scalar()

    def add(self, name: str, role: Role, groups: Collection[str] = ()) -> User:
        """Make a user without a password.

        Raises:
            UsageError: the name cannot be one, or is taken; there is no such group.
        """
        with self._database.write() as connection:
            return add_user(connection, name, role, groups, utc_text_from_ns(self._now_ns()))

    def change(self, user_id: str, change: UserChange) -> User:
        """Change a user; one who is disabled is logged out everywhere.

        Raises:
            UsageError: there is no such user or group, or it would leave nobody to administer.
        """
        with self._database.write() as connection:
            user = find_user(connection, console_users.c.user_id == user_id)
            if user is None:
                raise UsageError("there is no such user")
            return change_user(connection, user, change, utc_text_from_ns(self._now_ns()))

    def set_password(self, user_id: str, password_hash: str) -> None:
        """Give a user another password, and log them out everywhere."""
        with self._database.write() as connection:
            set_password(connection, user_id, password_hash)

    def empty(self) -> bool:
        """Whether nobody has ever set a password."""
        with self._database.read() as connection:
            return not has_users(connection)


def has_users(connection: Connection) -> bool:
    """Whether anybody ever set a password."""
    has_password = console_users.c.password_hash.is_not(None)
    query = select(func.count()).select_from(console_users).where(has_password)
    return bool(connection.execute(query).scalar_one())


def find_user(connection: Connection, which: ColumnElement[bool]) -> User | None:
    row = connection.execute(select(console_users).where(which)).mappings().first()
    return None if row is None else _user(connection, row)


def add_user(connection: Connection, name: str, role: Role, groups: Collection[str], now: str) -> User:
    """See :meth:`Users.add`."""
    name = clean_name(name, "user")
    if find_user(connection, func.lower(console_users.c.name) == func.lower(name)) is not None:
        raise UsageError(f"there is a user called {name!r} already")
    user_id = random_id()
    connection.execute(insert(console_users).values(user_id=user_id, name=name, role=role, created_at=now))
    _set_groups(connection, user_id, groups)
    return User(user_id, name, role, tuple(sorted(groups)), True, False, now)


def change_user(connection: Connection, user: User, change: UserChange, now: str) -> User:
    """See :meth:`Users.change`."""
    _check_last(connection, user, change)
    values = _values(change, user, now)
    mine = console_users.c.user_id == user.id
    if values:
        connection.execute(update(console_users).where(mine).values(**values))
    if change.groups is not None:
        _set_groups(connection, user.id, change.groups)
    if change.disabled:
        end_sessions(connection, user.id)
    changed = find_user(connection, mine)
    assert changed is not None
    return changed


def _values(change: UserChange, user: User, now: str) -> dict[str, str | None]:
    values: dict[str, str | None] = {}
    if change.role is not None:
        values["role"] = change.role
    if change.disabled is not None and change.disabled != user.disabled:
        values["disabled_at"] = now if change.disabled else None
    return values


def set_password(connection: Connection, user_id: str, password_hash: str) -> None:
    """See :meth:`Users.set_password`."""
    mine = console_users.c.user_id == user_id
    connection.execute(update(console_users).where(mine).values(password_hash=password_hash))
    end_sessions(connection, user_id)


def end_sessions(connection: Connection, user_id: str) -> None:
    connection.execute(delete(console_sessions).where(console_sessions.c.user_id == user_id))


def _check_last(connection: Connection, user: User, change: UserChange) -> None:
    """Somebody who needs no identity provider must be left to administer.

    Two administrators who remove each other at once must not both succeed: their rows are locked.
    """
    if (change.role in (None, Role.ADMINISTRATOR) and not change.disabled) or not _administers(user):
        return
    able = (
        (console_users.c.role == Role.ADMINISTRATOR)
        & console_users.c.disabled_at.is_(None)
        & console_users.c.password_hash.is_not(None)
    )
    locked = connection.execute(select(console_users.c.user_id).where(able).with_for_update()).scalars()
    if set(locked.all()) == {user.id}:
        raise UsageError(f"{user.name} is the only administrator: make somebody else one first")


def _administers(user: User) -> bool:
    return user.role is Role.ADMINISTRATOR and not user.disabled


def _set_groups(connection: Connection, user_id: str, groups: Collection[str]) -> None:
    known = set(connection.execute(select(console_groups.c.group_id)).scalars())
    if not known.issuperset(groups):
        raise UsageError("there is no such group of cameras")
    mine = console_user_groups.c.user_id == user_id
    connection.execute(delete(console_user_groups).where(mine))
    for group_id in sorted(set(groups)):
        connection.execute(insert(console_user_groups).values(user_id=user_id, group_id=group_id))


def _user(connection: Connection, row: RowMapping) -> User:
    mine = console_user_groups.c.user_id == row["user_id"]
    query = select(console_user_groups.c.group_id).where(mine).order_by(console_user_groups.c.group_id)
    identity = console_identities.c.user_id == row["user_id"]
    provider = connection.execute(select(console_identities.c.issuer).where(identity)).scalar()
    return User(
        id=row["user_id"],
        name=row["name"],
        role=Role(row["role"]),
        groups=tuple(connection.execute(query).scalars()),
        invited=row["password_hash"] is None and provider is None,
        disabled=row["disabled_at"] is not None,
        created_at=row["created_at"],
        provider=provider,
    )
