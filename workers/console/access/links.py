"""One-time links: with one, a user sets a password, and the first administrator comes to be."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from gallery.database import Database
from gallery.tables import console_links, console_users
from gallery.times import utc_text_from_ns
from workers.console.access.passwords import Passwords, check_password
from workers.console.access.roles import Role
from workers.console.access.secret import digest, new_secret
from workers.console.access.users import User, add_user, find_user, has_users, set_password

VALID_H = 24
_HOUR_NS = 3600 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Invited:
    """Whom a link is for; `user` is ``None`` where it makes the first administrator."""

    user: User | None


class Links:
    """Links that have not been used. A user has at most one: a new one replaces it.

    Args:
        database: Where their digests are kept.
        passwords: Hashes the password that comes with a link.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
    """

    def __init__(
        self, database: Database, passwords: Passwords, now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._database, self._passwords, self._now_ns = database, passwords, now_ns

    def issue(self, user_id: str | None) -> str:
        """A new secret, good for a day.

        Args:
            user_id: Whose password it sets; ``None``: it makes the first administrator.
        """
        secret = new_secret()
        whose = console_links.c.user_id
        with self._database.write() as connection:
            same = whose.is_(None) if user_id is None else whose == user_id
            connection.execute(delete(console_links).where(same))
            connection.execute(
                insert(console_links).values(
                    token_sha256=digest(secret),
                    user_id=user_id,
                    expires_ns=self._now_ns() + VALID_H * _HOUR_NS,
                )
            )
        return secret

    def look(self, secret: str) -> Invited | None:
        """Whom the link is for; ``None`` if it is none, was used, or is too old."""
        with self._database.read() as connection:
            return self._find(connection, secret)

    def accept(self, secret: str, name: str, password: str) -> User | None:
        """Set the password; the link is good for nothing afterwards.

        Args:
            secret: Of the link.
            name: Of the first administrator; users have theirs already.
            password: The new one.

        Returns:
            Who may log in with it now; ``None`` as :meth:`look`.

        Raises:
            UsageError: the name or the password cannot be one; the link is still good.
        """
        invited = self.look(secret)
        if invited is None:
            return None
        check_password(password, name if invited.user is None else invited.user.name)
        hashed = self._passwords.hash(password)
        with self._database.write() as connection:
            invited = self._find(connection, secret)
            if invited is None or not _use_up(connection, secret):
                return None
            user = invited.user or self._first(connection, name)
            set_password(connection, user.id, hashed)
            return find_user(connection, console_users.c.user_id == user.id)

    def _first(self, connection: Connection, name: str) -> User:
        return add_user(connection, name, Role.ADMINISTRATOR, (), utc_text_from_ns(self._now_ns()))

    def _find(self, connection: Connection, secret: str) -> Invited | None:
        good = (console_links.c.token_sha256 == digest(secret)) & (
            console_links.c.expires_ns > self._now_ns()
        )
        row = connection.execute(select(console_links.c.user_id).where(good)).first()
        if row is None:
            return None
        if row.user_id is None:
            return None if has_users(connection) else Invited(None)
        user = find_user(connection, console_users.c.user_id == row.user_id)
        return None if user is None or user.disabled else Invited(user)


def _use_up(connection: Connection, secret: str) -> bool:
    used = delete(console_links).where(console_links.c.token_sha256 == digest(secret))
    return bool(connection.execute(used).rowcount)
