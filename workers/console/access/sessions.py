"""Sessions: who is logged in, by a random cookie of which only the digest is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, or_, select, update

from gallery.database import Database
from gallery.tables import console_sessions
from workers.console.access.secret import digest, new_secret

_S = 1_000_000_000
_NOTE_NS = 30 * _S
"""That a session is used is written down at most so often."""


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """How long a session lasts: unused, and at most."""

    idle_s: float = 30 * 60.0
    longest_s: float = 12 * 3600.0


class Sessions:
    """Sessions of all users.

    Args:
        database: Where they are kept.
        times: How long they last.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
    """

    def __init__(self, database: Database, times: SessionTimes, now_ns: Callable[[], int]) -> None:
        self._database, self._now_ns = database, now_ns
        self._idle_ns, self._longest_ns = round(times.idle_s * _S), round(times.longest_s * _S)

    def begin(self, user_id: str, instead_of: str | None = None) -> str:
        """A new session; its secret is the cookie, and the cookie that came with the login is worth nothing.

        Args:
            user_id: Who logged in.
            instead_of: The cookie that they had before.
        """
        secret, now = new_secret(), self._now_ns()
        with self._database.write() as connection:
            self._forget_old(connection, now)
            if instead_of is not None:
                _end(connection, instead_of)
            values = {"user_id": user_id, "begun_ns": now, "used_ns": now}
            connection.execute(insert(console_sessions).values(token_sha256=digest(secret), **values))
        return secret

    def user_of(self, secret: str) -> str | None:
        """The id of whose session it is, now used again; ``None`` if there is none, or no more."""
        now, mine = self._now_ns(), console_sessions.c.token_sha256 == digest(secret)
        with self._database.read() as connection:
            row = connection.execute(select(console_sessions).where(mine)).first()
        if row is None or now - row.used_ns >= self._idle_ns or now - row.begun_ns >= self._longest_ns:
            return None
        if now - row.used_ns >= min(_NOTE_NS, self._idle_ns // 4):
            with self._database.write() as connection:
                connection.execute(update(console_sessions).where(mine).values(used_ns=now))
        return str(row.user_id)

    def end(self, secret: str) -> None:
        """Log out."""
        with self._database.write() as connection:
            _end(connection, secret)

    def _forget_old(self, connection: Connection, now: int) -> None:
        old = or_(
            console_sessions.c.used_ns <= now - self._idle_ns,
            console_sessions.c.begun_ns <= now - self._longest_ns,
        )
        connection.execute(delete(console_sessions).where(old))


def _end(connection: Connection, secret: str) -> None:
    connection.execute(delete(console_sessions).where(console_sessions.c.token_sha256 == digest(secret)))
