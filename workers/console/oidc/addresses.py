"""Addresses of the provider: HTTPS, or this machine."""

from __future__ import annotations

from urllib.parse import urlsplit

from workers.console.access.origins import LOOPBACK


def check_address(address: str, issuer: str) -> str:
    """`address`, if we may ask it or send browsers there.

    Args:
        address: To check.
        issuer: Of the provider; only one on this machine may leave out HTTPS.

    Raises:
        ValueError: it is no such address; the text says why.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.fragment:
        raise ValueError(f"{address!r} is no address like https://login.example.org")
    if not address.isascii() or not address.isprintable() or " " in address:
        raise ValueError(f"{address!r} holds what must be written as %20 and the like")
    if parts.scheme == "http" and not (is_near(address) and is_near(issuer)):
        raise ValueError(f"{address!r} must begin with https://")
    return address


def is_near(address: str) -> bool:
    """Whether it is on this machine."""
    return urlsplit(address).hostname in LOOPBACK
