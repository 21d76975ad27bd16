"""API tokens: a program acts for a user, with a part of what the user may do."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, select, update

from gallery.database import Database
from gallery.names import clean_name
from gallery.store import random_id
from gallery.tables import console_tokens
from gallery.times import utc_text_from_ns
from pipeline.errors import UsageError
from workers.console.access.roles import SCOPES, Permission
from workers.console.access.secret import digest, new_secret

PREFIX = "pinwatch_"
"""So that a token that got into a repository is recognised."""

MAX_DAYS = 366
_DAY_NS = 24 * 3600 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token, without its secret.

    Attributes:
        id: Opaque; what records carry.
        user_id: For whom it acts.
        name: What it is for.
        scopes: What it may do, as far as its user may.
        created_at, expires_at: ISO 8601 UTC.
        revoked: It is good for nothing any more.
    """

    id: str
    user_id: str
    name: str
    scopes: tuple[Permission, ...]
    created_at: str
    expires_at: str
    revoked: bool


class ApiTokens:
    """Tokens of all users.

    Args:
        database: Where they are kept.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
    """

    def __init__(self, database: Database, now_ns: Callable[[], int]) -> None:
        self._database, self._now_ns = database, now_ns

    def issue(
        self, user_id: str, name: str, scopes: Collection[Permission], days: int
    ) -> tuple[ApiToken, str]:
        """A new token and its secret, which is nowhere afterwards.

        Raises:
            UsageError: the name cannot be one, there is no scope or one that is none, or it lasts too long.
        """
        name = clean_name(name, "token")
        if not scopes or not set(SCOPES).issuperset(scopes):
            raise UsageError(f"a token has one or more of the scopes {', '.join(SCOPES)}")
        if not 1 <= days <= MAX_DAYS:
            raise UsageError(f"a token lasts 1 to {MAX_DAYS} days")
        secret, now = PREFIX + new_secret(), self._now_ns()
        made = ApiToken(
            random_id(),
            user_id,
            name,
            tuple(sorted(set(scopes))),
            utc_text_from_ns(now),
            utc_text_from_ns(now + days * _DAY_NS),
            False,
        )
        self._insert(made, secret)
        return made, secret

    def _insert(self, made: ApiToken, secret: str) -> None:
        with self._database.write() as connection:
            connection.execute(
                insert(console_tokens).values(
                    token_id=made.id,
                    token_sha256=digest(secret),
                    user_id=made.user_id,
                    name=made.name,
                    scopes=" ".join(made.scopes),
                    created_at=made.created_at,
                    expires_at=made.expires_at,
                )
            )

    def find(self, secret: str) -> ApiToken | None:
        """The token, if it is good now."""
        query = select(console_tokens).where(console_tokens.c.token_sha256 == digest(secret))
        with self._database.read() as connection:
            row = connection.execute(query).first()
        token = None if row is None else _token(row)
        if token is None or token.revoked or token.expires_at <= utc_text_from_ns(self._now_ns()):
            return None
        return token

    def of_user(self, user_id: str) -> list[ApiToken]:
        """All tokens of a user, the newest first."""
        mine = select(console_tokens).where(console_tokens.c.user_id == user_id)
        with self._database.read() as connection:
            return [
                _token(row) for row in connection.execute(mine.order_by(console_tokens.c.created_at.desc()))
            ]

    def revoke(self, user_id: str, token_id: str) -> None:
        """Good for nothing from now on. Raises ``UsageError`` where the user has no such token."""
        its = (console_tokens.c.user_id == user_id) & (console_tokens.c.token_id == token_id)
        with self._database.write() as connection:
            now = utc_text_from_ns(self._now_ns())
            if not connection.execute(update(console_tokens).where(its).values(revoked_at=now)).rowcount:
                raise UsageError("there is no such token")


def _token(row: Row[*tuple[Any, ...]]) -> ApiToken:
    return ApiToken(
        row.token_id,
        row.user_id,
        row.name,
        tuple(Permission(scope) for scope in row.scopes.split()),
        row.created_at,
        row.expires_at,
        row.revoked_at is not None,
    )
