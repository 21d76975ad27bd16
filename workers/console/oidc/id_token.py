"""Whether an ID token holds: who signed it, for whom, when, and for which login."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jws import JWSRegistry

from workers.console.oidc.options import OidcOptions
from workers.console.oidc.provider import Provider
from workers.console.oidc.refused import not_proven

MAX_CHARACTERS = 100_000
MAX_SUBJECT = 255


@dataclass(frozen=True, slots=True)
class Vouched:
    """What the provider vouches for.

    Attributes:
        subject: What it calls the user.
        claims: Everything that it says of them.
    """

    subject: str
    claims: Mapping[str, Any]


class IdTokens:
    """Checks ID tokens.

    Args:
        options: Whose, and for whom.
        provider: Its keys.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
    """

    def __init__(self, options: OidcOptions, provider: Provider, now_ns: Callable[[], int]) -> None:
        self._options, self._provider, self._now_ns = options, provider, now_ns

    def check(self, text: str, nonce: str, access_token: str) -> Vouched:
        """What the token says.

        Args:
            text: Compact JWS.
            nonce: Of the login that it must belong to.
            access_token: That came with it.

        Raises:
            NotAdmitted: it does not hold.
        """
        if len(text) > MAX_CHARACTERS:
            raise not_proven("the ID token is too long")
        try:
            token = self._decoded(text)
            claims = CodeIDToken(
                token.claims, token.header, self._wanted(), self._parameters(nonce, access_token)
            )
            claims.validate(now=self._now_ns() // 1_000_000_000, leeway=self._options.skew_s)
        except JoseError as error:
            raise not_proven(f"the ID token does not hold: {error.error}") from None
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
            raise not_proven(f"the ID token cannot be read: {type(error).__name__}") from None
        subject = token.claims["sub"]
        if not subject or len(subject) > MAX_SUBJECT or not subject.isprintable():
            raise not_proven("the ID token names nobody")
        return Vouched(subject, token.claims)

    def _decoded(self, text: str) -> jwt.Token:
        trusted = JWSRegistry(algorithms=self._provider.metadata().algorithms, strict_check_header=False)
        try:
            return jwt.decode(text, self._provider.keys(), registry=trusted)
        except InvalidKeyIdError:
            return jwt.decode(text, self._provider.newer_keys(), registry=trusted)

    def _wanted(self) -> dict[str, dict[str, Any]]:
        return {
            "iss": {"essential": True, "value": self._options.issuer},
            "aud": {"essential": True, "value": self._options.client_id},
            "sub": {"essential": True},
        }

    def _parameters(self, nonce: str, access_token: str) -> dict[str, str]:
        return {"nonce": nonce, "client_id": self._options.client_id, "access_token": access_token}
