"""Everything secret about one login follows from one random secret, which only the browser keeps."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from starlette.responses import Response

from workers.console.access.secret import new_secret

LASTS_S = 600
"""How long a browser may be at the provider."""


@dataclass(frozen=True, slots=True)
class LoginSecrets:
    """What one login consists of.

    Attributes:
        cookie: The secret itself, in the browser.
    """

    cookie: str

    @classmethod
    def new(cls) -> LoginSecrets:
        return cls(new_secret())

    @property
    def state(self) -> str:
        """Comes back in the address."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """Comes back in the ID token."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """What the code is exchanged with (PKCE)."""
        return self._derived("verifier")

    def _derived(self, purpose: str) -> str:
        text = f"pinwatch login {purpose}".encode()
        return hmac.new(self.cookie.encode("utf-8", "replace"), text, hashlib.sha256).hexdigest()


class LoginCookie:
    """Carries the secret: for ten minutes, and also when the browser comes from the provider's site.

    Args:
        secure: Browsers come over HTTPS.
    """

    def __init__(self, secure: bool) -> None:
        self._secure = secure
        self.name = f"{'__Host-' if secure else ''}pinwatch_login"

    def set(self, response: Response, secret: str) -> None:
        response.set_cookie(
            self.name,
            secret,
            max_age=LASTS_S,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )

    def end(self, response: Response) -> None:
        response.delete_cookie(self.name, path="/", secure=self._secure, httponly=True, samesite="lax")
