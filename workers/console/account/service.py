"""A user's own tokens, for pages and API alike; all of it recorded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pipeline.errors import UsageError
from workers.console.access.principal import Principal
from workers.console.access.record import RecordAccess
from workers.console.access.roles import SCOPES, Permission
from workers.console.access.tokens import ApiToken, ApiTokens


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token with its secret, which is shown this once."""

    token: ApiToken
    secret: str


class OwnTokens:
    """The tokens of whoever asks.

    Args:
        tokens: Kept here.
        record: Told of every change.
    """

    def __init__(self, tokens: ApiTokens, record: RecordAccess) -> None:
        self._tokens, self._record = tokens, record

    def all(self, principal: Principal) -> list[ApiToken]:
        """The newest first."""
        return self._tokens.of_user(principal.user_id)

    def issue(self, principal: Principal, name: str, scopes: Collection[Permission], days: int) -> NewToken:
        """See :meth:`ApiTokens.issue`; nobody gives away what they may not do."""
        beyond = sorted(scope for scope in scopes if not principal.may(scope))
        if beyond:
            raise UsageError(f"you may not do {', '.join(beyond)} yourself")
        token, secret = self._tokens.issue(principal.user_id, name, scopes, days)
        self._record(principal.who, f"token {token.id} made for {', '.join(token.scopes)}", ())
        return NewToken(token, secret)

    def revoke(self, principal: Principal, token_id: str) -> None:
        """See :meth:`ApiTokens.revoke`."""
        self._tokens.revoke(principal.user_id, token_id)
        self._record(principal.who, f"token {token_id} revoked", ())


def scopes_of(principal: Principal) -> list[Permission]:
    """What the user can give to a token."""
    return [scope for scope in SCOPES if principal.may(scope)]
