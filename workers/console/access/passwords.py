"""Passwords: which are taken, and their argon2id hashes."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from pipeline.errors import UsageError

MIN_CHARACTERS = 12
MAX_CHARACTERS = 1000
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class HashCost:
    """What one hash costs: passes, memory, threads. The default is RFC 9106's second choice."""

    passes: int = 3
    memory_kib: int = 65536
    lanes: int = 4


class Passwords:
    """Hashes and compares. Few at a time, so that a crowd at the login does not take all the memory.

    Args:
        cost: Of a hash.
    """

    def __init__(self, cost: HashCost | None = None) -> None:
        chosen = cost or HashCost()
        self._hasher = PasswordHasher(chosen.passes, chosen.memory_kib, chosen.lanes)
        self._turn = threading.BoundedSemaphore(_AT_ONCE)
        self._nobodys = self._hasher.hash("nobody has this password")

    def hash(self, password: str) -> str:
        """The hash to keep, with its salt and cost."""
        with self._turn:
            return self._hasher.hash(_bytes(password))

    def fits(self, kept: str | None, password: str) -> bool:
        """Whether it is the password; as long where there is none (``None``)."""
        with self._turn:
            try:
                self._hasher.verify(kept or self._nobodys, _bytes(password))
            except (VerifyMismatchError, VerificationError, InvalidHashError):
                return False
        return kept is not None


def _bytes(password: str) -> bytes:
    """UTF-8, also of what is no text: JSON can hold half a character."""
    return password.encode("utf-8", "surrogatepass")


def check_password(password: str, name: str) -> None:
    """Raise ``UsageError`` for a password that is too easy to guess, or absurdly long."""
    if len(password) < MIN_CHARACTERS:
        raise UsageError(f"a password has at least {MIN_CHARACTERS} characters: a few words are easy to keep")
    if len(password) > MAX_CHARACTERS:
        raise UsageError(f"a password has at most {MAX_CHARACTERS} characters")
    if name.casefold() in password.casefold() and len(password) < len(name) + MIN_CHARACTERS:
        raise UsageError("the password is little more than your name: choose another")
    if len(set(password)) < MIN_CHARACTERS // 2:
        raise UsageError("the password is the same few characters over and over: choose another")
