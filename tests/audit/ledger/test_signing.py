"""The signing key and its public half."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from audit.ledger.folder import LedgerFolder
from audit.ledger.signing import Signer, Verifier
from pipeline.errors import LedgerCorrupt, StorageError
from tests.audit.ledger.ledgers import write_ledger


@pytest.fixture
def folder(tmp_path: Path) -> LedgerFolder:
    folder = LedgerFolder(tmp_path / "ledger")
    folder.create()
    return folder


def test_what_the_ledger_signed_its_public_key_proves(folder: LedgerFolder) -> None:
    signature = Signer.of(folder).sign(b"message")
    verifier = Verifier.read(folder.public_key)
    assert len(signature) == 64
    assert verifier.holds(signature, b"message")
    assert not verifier.holds(signature, b"massage")
    assert not verifier.holds(signature[:-1] + bytes([signature[-1] ^ 1]), b"message")
    assert not verifier.holds(b"", b"message")


def test_the_key_is_made_once(folder: LedgerFolder) -> None:
    first = Signer.of(folder).sign(b"message")
    assert Signer.of(folder).sign(b"message") == first  # Ed25519 has no randomness


def test_only_the_owner_may_read_the_private_key(folder: LedgerFolder) -> None:
    Signer.of(folder)
    assert folder.private_key.stat().st_mode & 0o077 == 0


def test_a_lost_public_key_is_there_again(folder: LedgerFolder) -> None:
    Signer.of(folder)
    before = folder.public_key.read_bytes()
    folder.public_key.unlink()
    Signer.of(folder)
    assert folder.public_key.read_bytes() == before


def test_a_public_key_of_somebody_else_is_noticed_before_anything_is_signed(
    folder: LedgerFolder, tmp_path: Path
) -> None:
    other = LedgerFolder(tmp_path / "other")
    other.create()
    Signer.of(folder)
    Signer.of(other)
    folder.public_key.write_bytes(other.public_key.read_bytes())
    with pytest.raises(LedgerCorrupt, match=r"public\.pem does not belong to private\.pem"):
        Signer.of(folder)


def test_a_key_lost_after_something_was_signed_is_not_replaced_in_silence(tmp_path: Path) -> None:
    folder = write_ledger(tmp_path / "ledger", 6).folder
    public = folder.public_key.read_bytes()
    folder.private_key.unlink()
    with pytest.raises(LedgerCorrupt, match=r"private\.pem is gone: put it back from a copy, or move"):
        Signer.of(folder)
    assert folder.public_key.read_bytes() == public
    assert not folder.private_key.exists()


def test_files_that_are_no_keys_are_named(folder: LedgerFolder) -> None:
    Signer.of(folder)
    folder.private_key.write_bytes(b"secret")
    folder.public_key.write_bytes(b"open")
    with pytest.raises(LedgerCorrupt, match=r"private\.pem is no private key"):
        Signer.of(folder)
    with pytest.raises(LedgerCorrupt, match=r"public\.pem is no public key"):
        Verifier.read(folder.public_key)


def test_keys_of_another_kind_are_named(folder: LedgerFolder) -> None:
    key = generate_private_key(SECP256R1())
    folder.private_key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    folder.public_key.write_bytes(public)
    with pytest.raises(LedgerCorrupt, match="is no Ed25519 key"):
        Signer.of(folder)
    with pytest.raises(LedgerCorrupt, match="is no Ed25519 key"):
        Verifier.read(folder.public_key)


def test_a_public_key_that_is_gone_is_named_with_the_way_out(folder: LedgerFolder) -> None:
    with pytest.raises(LedgerCorrupt, match=r"public\.pem \(No such file.*put it back"):
        Verifier.read(folder.public_key)


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot lock the ledger"):
        Signer.of(LedgerFolder(tmp_path / "nowhere"))
