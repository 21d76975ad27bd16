"""SHA-256 of model files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline.errors import ChecksumMismatch, ModelNotFound
from pipeline.models.card import ModelFile


def sha256_of(path: Path) -> str:
    """64 hexadecimal digits.

    Raises:
        ModelNotFound: the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelNotFound(f"cannot read model file {path}: {error.strerror or error}") from error


def verify_file(file: ModelFile, path: Path) -> None:
    """Return if `path` holds what the card says.

    Raises:
        ChecksumMismatch: it holds something else.
        ModelNotFound: it cannot be read.
    """
    got = sha256_of(path)
    if not file.matches(got):
        expected = f"{file.sha256}... (a prefix)" if file.sha256_is_prefix else file.sha256
        raise ChecksumMismatch(
            f"{file.name}: {path} is not the file of its card: expected sha256 {expected}, got {got}. "
            "Delete it and run `pinwatch models pull` again, or correct the card"
        )
