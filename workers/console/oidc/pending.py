"""Logins that are under way: each can be finished once, and not for long."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from audit.ledger.sealing import seal, unseal
from gallery.database import Database
from gallery.tables import console_provider_logins, console_provider_sessions, console_sessions
from pipeline.errors import LedgerCorrupt
from workers.console.access.secret import digest
from workers.console.oidc.secrets import LASTS_S

_LASTS_NS = LASTS_S * 1_000_000_000
_PURPOSE = "pinwatch id token"


@dataclass(frozen=True, slots=True)
class Pending:
    """A login under way.

    Attributes:
        wanted: Where the browser wanted to go.
        link_sha256: Digest of the one-time link that it began with, if any.
    """

    wanted: str
    link_sha256: str | None


class PendingLogins:
    """All of them, and the sessions that came of them.

    Args:
        database: Where they are kept.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
    """

    def __init__(self, database: Database, now_ns: Callable[[], int]) -> None:
        self._database, self._now_ns = database, now_ns

    def begin(self, cookie: str, pending: Pending) -> None:
        """A login more; those that are too old are forgotten."""
        now = self._now_ns()
        with self._database.write() as connection:
            old = console_provider_logins.c.begun_ns <= now - _LASTS_NS
            connection.execute(delete(console_provider_logins).where(old))
            values = {"wanted": pending.wanted, "link_sha256": pending.link_sha256, "begun_ns": now}
            row = insert(console_provider_logins).values(secret_sha256=digest(cookie), **values)
            connection.execute(row)

    def take(self, cookie: str) -> Pending | None:
        """The login of that cookie, which nobody can take again; ``None`` if there is none, or no more."""
        mine = console_provider_logins.c.secret_sha256 == digest(cookie)
        with self._database.write() as connection:
            row = connection.execute(select(console_provider_logins).where(mine)).first()
            taken = connection.execute(delete(console_provider_logins).where(mine)).rowcount
        if row is None or not taken or self._now_ns() - row.begun_ns >= _LASTS_NS:
            return None
        return Pending(row.wanted, row.link_sha256)

    def keep_token(self, session_cookie: str, id_token: str) -> None:
        """For the logout: the provider wants to see whose it is.

        It says who somebody is, so that only the session's cookie opens it, which the database does not know.
        """
        token_sha256 = digest(session_cookie)
        sealed = seal(_key(session_cookie), id_token.encode(), _PURPOSE).hex()
        with self._database.write() as connection:
            mine = console_sessions.c.token_sha256 == token_sha256
            if connection.execute(select(console_sessions.c.user_id).where(mine)).first() is not None:
                row = insert(console_provider_sessions).values(token_sha256=token_sha256, id_token=sealed)
                connection.execute(row)

    def token_of(self, session_cookie: str) -> str | None:
        """What was kept; ``None`` for a session that began with a password, or under an older version."""
        mine = console_provider_sessions.c.token_sha256 == digest(session_cookie)
        with self._database.read() as connection:
            sealed = connection.execute(select(console_provider_sessions.c.id_token).where(mine)).scalar()
        try:
            return sealed and unseal(_key(session_cookie), bytes.fromhex(sealed), _PURPOSE).decode()
        except (LedgerCorrupt, ValueError):
            return None


def _key(session_cookie: str) -> bytes:
    return hmac.new(session_cookie.encode("utf-8", "replace"), _PURPOSE.encode(), hashlib.sha256).digest()
