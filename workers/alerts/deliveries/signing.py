"""Signs what webhooks are sent, so that they can tell that it comes from us, and when."""

from __future__ import annotations

import hashlib
import hmac

SIGNATURE = "Pinwatch-Signature"
TIMESTAMP = "Pinwatch-Timestamp"
KEY = "Idempotency-Key"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 of ``timestamp.body``, in hex behind the version of the scheme."""
    signed = timestamp.encode() + b"." + body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
