"""Where the parts of a ledger lie, and its identity."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import LedgerCorrupt, StorageError

FOLDER = "ledger"
FORMAT = 1
CHAIN_SUFFIX = ".chain"
_BEGUN_SUFFIX = ".begun"
CHECKPOINTS = "checkpoints"
"""Name of the chain of checkpoints."""


@dataclass(frozen=True, slots=True)
class LedgerFolder:
    """The files below ``<data>/ledger``, or below an export of it."""

    root: Path

    @property
    def about(self) -> Path:
        return self.root / "ledger.json"

    @property
    def public_key(self) -> Path:
        return self.root / "public.pem"

    @property
    def private_key(self) -> Path:
        return self.root / "private.pem"

    @property
    def keys(self) -> Path:
        return self.root / "keys.db"

    @property
    def checkpoints(self) -> Path:
        return self.root / f"{CHECKPOINTS}{CHAIN_SUFFIX}"

    def chain(self, writer: str) -> Path:
        """The file of a writer's chain."""
        return self.root / "chains" / f"{writer}{CHAIN_SUFFIX}"

    def writers(self) -> list[str]:
        """Everybody who ever wrote, the first one first."""
        return sorted(path.name.removesuffix(CHAIN_SUFFIX) for path in self.chain("x").parent.glob("*.chain"))

    def begun(self) -> list[str]:
        """Whose chains have begun and not ended, because their process runs, or died."""
        found = self.chain("x").parent.glob(f"*{_BEGUN_SUFFIX}")
        return sorted(path.name.removesuffix(_BEGUN_SUFFIX) for path in found)

    def note_begun(self, writer: str) -> None:
        """A chain begins. Raises ``OSError``."""
        write_whole(self._begun(writer), b"")

    def forget_begun(self, writer: str) -> None:
        """It has ended; where that cannot be noted, somebody will look and find it."""
        with suppress(OSError):
            self._begun(writer).unlink(missing_ok=True)

    def _begun(self, writer: str) -> Path:
        return self.chain(writer).with_suffix(_BEGUN_SUFFIX)

    def exists(self) -> bool:
        return self.about.exists()

    def identity(self) -> str:
        """The ledger's id, 16 hexadecimal digits.

        Raises:
            LedgerCorrupt: there is none that can be read.
        """
        try:
            about = json.loads(self.about.read_text(encoding="utf-8"))
            identity, version = str(about["ledger_id"]), int(about["format"])
        except OSError as error:
            raise LedgerCorrupt(
                f"there is no ledger in {self.root} ({self.about.name}: {error.strerror}): "
                "if it was there, put that file back from a copy"
            ) from None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise LedgerCorrupt(
                f"{self.about} does not say which ledger this is: put it back from a copy"
            ) from None
        if version > FORMAT:
            raise LedgerCorrupt(
                f"{self.about} was made by a newer Pinwatch (format {version}, this one knows {FORMAT})"
            )
        return identity

    def create(self) -> None:
        """Make what is missing of an empty ledger; whoever else does so at the same time makes the same one.

        Raises:
            StorageError: the folder cannot be written.
        """
        chains = self.chain("x").parent
        try:
            new = not chains.exists()
            chains.mkdir(parents=True, exist_ok=True)
            if new:
                for folder in (self.root, self.root.parent):
                    sync_folder(folder)
            with self.locked():
                if not self.exists():
                    self._begin()
        except OSError as error:
            raise StorageError(f"cannot make a ledger in {self.root}: {error.strerror}") from error

    def _begin(self) -> None:
        """The identity last: where it is, a chain of checkpoints was, if only an empty one."""
        if not self.checkpoints.exists():
            write_whole(self.checkpoints, b"")
        about = {"format": FORMAT, "ledger_id": secrets.token_hex(8)}
        write_whole(self.about, json.dumps(about).encode() + b"\n")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """While one process of this machine changes what all share: identity, keys, checkpoints.

        Raises:
            StorageError: the folder cannot be written.
        """
        try:
            file = (self.root / "lock").open("ab")
        except OSError as error:
            raise StorageError(f"cannot lock the ledger in {self.root}: {error.strerror}") from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """A file that appears whole or not at all, and stays after a power cut."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """So that the names in it are there after a power cut as well."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
