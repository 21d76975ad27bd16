"""Slows down who guesses passwords: by user, and by the address that the guesses come from."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from gallery.database import Database, insert_new
from gallery.tables import console_attempts

_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Patience:
    """How failures are answered.

    Attributes:
        free: So many cost nothing.
        first_s: What the next one costs; each further one twice as much.
        longest_s: But never more.
        forget_s: After so long without a failure all are forgotten.
    """

    free: int
    first_s: float = 2.0
    longest_s: float = 900.0
    forget_s: float = 3600.0

    def wait_s(self, failures: int) -> float:
        """How long nothing is listened to after so many failures."""
        over = failures - self.free
        return 0.0 if over < 1 else min(self.longest_s, self.first_s * 2.0 ** min(over - 1, 32))


BY_USER = Patience(free=5)
BY_ADDRESS = Patience(free=20)
"""Higher: a whole guard room may come from one address."""


class Attempts:
    """Counts attempts in the database, so that a restart forgives nothing.

    An attempt counts as failed from its beginning until it is known to be right: many at once cannot
    all slip through before the first is counted.

    Args:
        database: Where they are counted.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
    """

    def __init__(self, database: Database, now_ns: Callable[[], int]) -> None:
        self._database, self._now_ns = database, now_ns

    def begin(self, name: str, address: str) -> float:
        """Count an attempt.

        Returns:
            0 if it may go on; else how many seconds nothing is listened to, and it does not count.
        """
        now = self._now_ns()
        with self._database.write() as connection:
            _forget(connection, now)
            counted = [
                (_locked(connection, subject), patience) for subject, patience in _subjects(name, address)
            ]
            wait_ns = max(row.blocked_until_ns - now for row, _ in counted)
            if wait_ns > 0:
                return float(wait_ns / _S)
            for row, patience in counted:
                _count(connection, row, patience, now)
            return 0.0

    def succeeded(self, name: str, address: str) -> None:
        """The attempt was right: the user's failures are forgotten, the address's are one fewer."""
        (user, _), (source, patience) = _subjects(name, address)
        with self._database.write() as connection:
            connection.execute(delete(console_attempts).where(console_attempts.c.subject == user))
            mine = console_attempts.c.subject == source
            failures = connection.execute(select(console_attempts.c.failures).where(mine)).scalar() or 1
            undone = {"failures": max(0, failures - 1)}
            if failures - 1 <= patience.free:
                undone["blocked_until_ns"] = 0
            connection.execute(update(console_attempts).where(mine).values(**undone))


def _subjects(name: str, address: str) -> tuple[tuple[str, Patience], tuple[str, Patience]]:
    return (_subject("user", name.casefold()), BY_USER), (_subject("address", _network(address)), BY_ADDRESS)


def _network(address: str) -> str:
    """What one guesser has: an address, and of IPv6 a whole network of them."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if found.version == 4 else str(ipaddress.ip_network((int(found), 64), strict=False))


def _subject(kind: str, text: str) -> str:
    return f"{kind}:{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()}"


def _forget(connection: Connection, now: int) -> None:
    longest_s = max(patience.forget_s for patience in (BY_USER, BY_ADDRESS))
    old = console_attempts.c.last_ns < now - round(longest_s * _S)
    connection.execute(delete(console_attempts).where(old, console_attempts.c.blocked_until_ns <= now))


def _locked(connection: Connection, subject: str) -> Row[*tuple[Any, ...]]:
    """The row of `subject`, which nobody else counts at until we are done."""
    insert_new(connection, console_attempts, subject=subject, failures=0, last_ns=0, blocked_until_ns=0)
    mine = select(console_attempts).where(console_attempts.c.subject == subject)
    return connection.execute(mine.with_for_update()).one()


def _count(connection: Connection, row: Row[*tuple[Any, ...]], patience: Patience, now: int) -> None:
    recent = now - row.last_ns < patience.forget_s * _S
    failures = (row.failures if recent else 0) + 1
    blocked_until_ns = now + round(patience.wait_s(failures) * _S)
    mine = console_attempts.c.subject == row.subject
    values = {"failures": failures, "last_ns": now, "blocked_until_ns": blocked_until_ns}
    connection.execute(update(console_attempts).where(mine).values(**values))
