"""Users who come in through an identity provider: known by what it calls them, never by name or e-mail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gallery.database import Database
from gallery.names import MAX_LENGTH, clean_name
from gallery.tables import console_groups, console_identities, console_links, console_users
from gallery.times import utc_text_from_ns
from pipeline.errors import UsageError
from workers.console.access.roles import Role
from workers.console.access.users import User, UserChange, add_user, change_user, find_user


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is to their provider.

    Attributes:
        issuer: The provider.
        subject: What it calls them, for ever.
    """

    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class Granted:
    """What the provider says about somebody's rights here.

    Attributes:
        role: Theirs; ``None``: administrators decide here.
        groups: Names of the groups of cameras that they see; ``None`` likewise.
    """

    role: Role | None = None
    groups: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody whom the provider has vouched for.

    Attributes:
        identity: Who they are.
        name: By which they would be known here.
        granted: What they may.
        link_sha256: Digest of the one-time link that they began with, if any.
    """

    identity: Identity
    name: str
    granted: Granted
    link_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Whose arrival it is.

    Attributes:
        user: Who comes in; ``None``: nobody yet.
        how: ``known``, ``invited`` (the one-time link is theirs) or ``new``.
    """

    user: User | None
    how: str


class Identities:
    """All of them. Every method is one transaction.

    Args:
        database: Where they are kept.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
    """

    def __init__(self, database: Database, now_ns: Callable[[], int]) -> None:
        self._database, self._now_ns = database, now_ns

    def look(self, arrival: Arrival) -> Found:
        """Who would come in by :meth:`admit`."""
        with self._database.read() as connection:
            return self._find(connection, arrival)

    def admit(self, arrival: Arrival) -> User | None:
        """Let somebody in: the user that is theirs, with the rights that they are granted.

        Returns:
            The user; ``None`` where they are disabled, or are nobody here and no role is granted.

        Raises:
            UsageError: it would leave nobody to administer.
        """
        try:
            return self._admit(arrival)
        except IntegrityError:  # they came twice at once, and the other was first
            return self._admit(arrival)

    def _admit(self, arrival: Arrival) -> User | None:
        now = utc_text_from_ns(self._now_ns())
        with self._database.write() as connection:
            found = self._find(connection, arrival)
            user = found.user
            if user is None and arrival.granted.role is not None:
                user = _make(connection, arrival, arrival.granted.role, now)
            if user is None or user.disabled:
                return None
            if found.how == "known":
                connection.execute(update(console_identities).where(_mine(arrival)).values(seen_at=now))
            else:
                _link(connection, arrival, user, now)
            change = UserChange(arrival.granted.role, _group_ids(connection, arrival.granted.groups))
            return change_user(connection, user, change, now)

    def _find(self, connection: Connection, arrival: Arrival) -> Found:
        query = select(console_identities.c.user_id).where(_mine(arrival))
        user_id = connection.execute(query).scalar()
        if user_id is not None:
            return Found(find_user(connection, console_users.c.user_id == user_id), "known")
        invited = self._invited(connection, arrival.link_sha256)
        return Found(invited, "new" if invited is None else "invited")

    def _invited(self, connection: Connection, link_sha256: str | None) -> User | None:
        """Only who has no password: whoever has one is known by that."""
        good = (console_links.c.token_sha256 == link_sha256) & (console_links.c.expires_ns > self._now_ns())
        user_id = connection.execute(select(console_links.c.user_id).where(good)).scalar()
        if link_sha256 is None or user_id is None:
            return None
        user = find_user(connection, console_users.c.user_id == user_id)
        return user if user is not None and user.invited else None

    def known_groups(self, names: tuple[str, ...]) -> set[str]:
        """Which of `names` are groups of cameras."""
        with self._database.read() as connection:
            query = select(console_groups.c.name).where(console_groups.c.name.in_(names))
            return set(connection.execute(query).scalars())


def _mine(arrival: Arrival) -> ColumnElement[bool]:
    return (console_identities.c.issuer == arrival.identity.issuer) & (
        console_identities.c.subject == arrival.identity.subject
    )


def _make(connection: Connection, arrival: Arrival, role: Role, now: str) -> User:
    return add_user(connection, _free_name(connection, arrival), role, (), now)


def _link(connection: Connection, arrival: Arrival, user: User, now: str) -> None:
    values = {"issuer": arrival.identity.issuer, "subject": arrival.identity.subject, "user_id": user.id}
    connection.execute(insert(console_identities).values(**values, linked_at=now, seen_at=now))
    connection.execute(delete(console_links).where(console_links.c.user_id == user.id))


def _group_ids(connection: Connection, names: tuple[str, ...] | None) -> list[str] | None:
    """Groups that are not there, or not any more, show nothing."""
    if names is None:
        return None
    query = select(console_groups.c.group_id).where(console_groups.c.name.in_(names))
    return list(connection.execute(query).scalars())


def _free_name(connection: Connection, arrival: Arrival) -> str:
    """The name, with a number behind it where somebody else has it already."""
    wanted = _usable(arrival.name) or _usable(arrival.identity.subject) or "somebody"
    number, name = 1, wanted
    while _taken(connection, name):
        number += 1
        name = f"{wanted} ({number})"
    return name


def _usable(name: str) -> str | None:
    """`name` as ours can be, cut where it is too long; ``None`` where that leaves nothing."""
    kept = "".join(character for character in name if character.isprintable() and character not in "/\\")
    short = kept.encode("utf-8", "ignore")[: MAX_LENGTH - 20].decode("utf-8", "ignore")
    try:
        return clean_name(short, "user")
    except UsageError:
        return None


def _taken(connection: Connection, name: str) -> bool:
    same = func.lower(console_users.c.name) == func.lower(name)
    return find_user(connection, same) is not None
