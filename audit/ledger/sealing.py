"""Contents that only the holder of a key can read, and that nobody can read once the key is destroyed.

AES-256 in Galois/counter mode (NIST SP 800-38D) with a random nonce; what a content belongs to is
authenticated with it, so that no sealed content can stand in another's place.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pipeline.errors import LedgerCorrupt

KEY_BYTES = 32
_NONCE_BYTES = 12


def new_key() -> bytes:
    """A key that nobody has."""
    return AESGCM.generate_key(8 * KEY_BYTES)


def seal(key: bytes, content: bytes, belongs_to: str) -> bytes:
    """Nonce, ciphertext and tag of `content`.

    Args:
        key: 32 bytes.
        content: To be sealed.
        belongs_to: Names its place, such as a decision; must be given again to unseal it.
    """
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, belongs_to.encode())


def unseal(key: bytes, sealed: bytes, belongs_to: str) -> bytes:
    """The content.

    Raises:
        LedgerCorrupt: it was changed, sealed with another key, or for another place.
    """
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], belongs_to.encode())
    except (InvalidTag, ValueError):
        raise LedgerCorrupt(f"what is sealed for {belongs_to} is not what was written") from None
