"""Random secrets: cookies, links and tokens. Only their digests are kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets

_BYTES = 32
_FORM = b"pinwatch form"


def new_secret() -> str:
    """256 random bits, as text that fits into addresses and cookies."""
    return secrets.token_urlsafe(_BYTES)


def digest(secret: str) -> str:
    """SHA-256, hexadecimal. Enough for random secrets; passwords are hashed otherwise."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def form_token(cookie: str) -> str:
    """What a form must bring along that whoever cannot read `cookie` cannot know."""
    return hmac.new(cookie.encode("utf-8", "replace"), _FORM, hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two texts are equal, in a time that does not tell how far they are."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))
