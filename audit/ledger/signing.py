"""The key that signs checkpoints (Ed25519, RFC 8032), and the one that everybody may have."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from audit.ledger.folder import LedgerFolder, write_whole
from pipeline.errors import LedgerCorrupt, StorageError


class Signer:
    """Signs for a ledger."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def of(cls, folder: LedgerFolder) -> Signer:
        """The ledger's own key, made the first time.

        Raises:
            LedgerCorrupt: the file holds no such key, or is gone, or the public key is that of another.
            StorageError: it cannot be written or read.
        """
        try:
            with folder.locked():
                if not folder.private_key.exists():
                    _make(folder)
                key = load_pem_private_key(folder.private_key.read_bytes(), None)
                if isinstance(key, Ed25519PrivateKey):
                    _publish(folder, key)
        except OSError as error:
            raise StorageError(
                f"cannot read or make the signing key {folder.private_key}: {error.strerror}"
            ) from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise LedgerCorrupt(f"{folder.private_key} is no private key: {error}") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise LedgerCorrupt(f"{folder.private_key} is no Ed25519 key")
        return cls(key)

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(message)


class Verifier:
    """Checks what a :class:`Signer` signed."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key

    @classmethod
    def read(cls, path: Path) -> Verifier:
        """The public key in a file (PEM).

        Raises:
            LedgerCorrupt: there is none.
        """
        try:
            key = load_pem_public_key(path.read_bytes())
        except OSError as error:
            raise LedgerCorrupt(
                f"cannot read the public key {path} ({error.strerror}): put it back from a copy"
            ) from None
        except (ValueError, UnsupportedAlgorithm) as error:
            raise LedgerCorrupt(f"{path} is no public key: {error}") from None
        if not isinstance(key, Ed25519PublicKey):
            raise LedgerCorrupt(f"{path} is no Ed25519 key")
        return cls(key)

    def holds(self, signature: bytes, message: bytes) -> bool:
        """Whether the ledger's own key signed `message`."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


def _make(folder: LedgerFolder) -> None:
    if folder.checkpoints.exists() and folder.checkpoints.stat().st_size:
        raise LedgerCorrupt(
            f"the signing key {folder.private_key} is gone: put it back from a copy, "
            f"or move {folder.root} away to begin another ledger"
        )
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # The public one first: where the private one is, the public one is.
    write_whole(folder.public_key, _public(key))
    write_whole(folder.private_key, private, 0o600)


def _publish(folder: LedgerFolder, key: Ed25519PrivateKey) -> None:
    """The public key beside the private one is its own; if it is gone, it is there again."""
    if not folder.public_key.exists():
        write_whole(folder.public_key, _public(key))
    elif folder.public_key.read_bytes() != _public(key):
        raise LedgerCorrupt(
            f"{folder.public_key} does not belong to {folder.private_key.name}: one of them was exchanged; "
            "put it back from a copy, or remove the public one if the private one is right"
        )


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
