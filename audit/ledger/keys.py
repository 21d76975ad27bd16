"""The keys of sealed contents: one for every track, which knows whom the track was named as.

They lie in a file of their own that no backup takes along, so that destroying a key here destroys it.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from audit.ledger.sealing import new_key
from pipeline.errors import LedgerCorrupt, StorageError

_REMEMBERED = 10_000
_BUSY_S = 30.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    scope TEXT PRIMARY KEY,
    key BLOB NOT NULL,
    subject_id TEXT,
    made_at_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS destroyed (scope TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class KeyRing:
    """Safe from any thread, and between processes of one machine.

    Args:
        path: Of the file; made if it is not there.

    Raises:
        StorageError: it cannot be written.
        LedgerCorrupt: it is no file of keys.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[str, tuple[bytes, str | None]] = {}
        with self._failing():
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.touch(mode=0o600)
            self._database = sqlite3.connect(
                path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._database.execute("PRAGMA secure_delete=ON")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.executescript(_SCHEMA)

    def obtain(
        self, scopes: Collection[str], now_ns: int, subjects: Mapping[str, str] | None = None
    ) -> dict[str, bytes]:
        """The keys of some scopes; made, durably, for those that have none.

        What was erased stays erased: for a scope whose key was destroyed there is one that is kept nowhere.

        Args:
            scopes: Names of tracks, see :func:`audit.scopes.scope_of`.
            now_ns: Nanoseconds since 1970 UTC, written beside new ones.
            subjects: Whom a scope was named as, if anybody: with that subject its key is destroyed.
        """
        wanted = {scope: (subjects or {}).get(scope) for scope in scopes}
        with self._lock:
            if not all(self._is_known(scope, subject) for scope, subject in wanted.items()):
                self._write(wanted, now_ns)
            return {scope: self._known[scope][0] for scope in wanted}

    def _is_known(self, scope: str, subject: str | None) -> bool:
        known = self._known.get(scope)
        return known is not None and subject in (None, known[1])

    def _write(self, wanted: Mapping[str, str | None], now_ns: int) -> None:
        found: dict[str, tuple[bytes, str | None]] = {}
        with self._failing(), self._transaction():
            for scope, subject in wanted.items():
                self._database.execute(
                    "INSERT INTO keys SELECT ?, ?, ?, ? "
                    "WHERE NOT EXISTS (SELECT 1 FROM destroyed WHERE scope = ?) ON CONFLICT (scope) "
                    "DO UPDATE SET subject_id = coalesce(excluded.subject_id, subject_id)",
                    (scope, new_key(), subject, now_ns, scope),
                )
                row = self._database.execute("SELECT key, subject_id FROM keys WHERE scope = ?", (scope,))
                found[scope] = row.fetchone() or (new_key(), subject)
        self._known |= found  # only now: a key that could not be kept must seal nothing
        for oldest in list(self._known)[: max(0, len(self._known) - _REMEMBERED - len(wanted))]:
            del self._known[oldest]

    def find(self, scope: str) -> bytes | None:
        """The key of a scope; ``None`` where there is none, or none any more."""
        with self._lock, self._failing():
            row = self._database.execute("SELECT key FROM keys WHERE scope = ?", (scope,)).fetchone()
            return None if row is None else bytes(row[0])

    def is_destroyed(self, scope: str) -> bool:
        """Whether there was a key once, and was destroyed."""
        with self._lock, self._failing():
            found = self._database.execute("SELECT 1 FROM destroyed WHERE scope = ?", (scope,))
            return found.fetchone() is not None

    def scopes_of(self, subject_id: str) -> list[str]:
        """The tracks that were named as a subject."""
        return self._scopes("subject_id = ?", subject_id)

    def unnamed_before(self, before_ns: int) -> list[str]:
        """Tracks that were named as nobody and whose key was made before that time."""
        return self._scopes("subject_id IS NULL AND made_at_ns < ?", before_ns)

    def _scopes(self, condition: str, value: object) -> list[str]:
        query = f"SELECT scope FROM keys WHERE {condition} ORDER BY scope"  # noqa: S608 - ours, see above
        with self._lock, self._failing():
            return [row[0] for row in self._database.execute(query, (value,))]

    def destroy(self, scopes: Collection[str]) -> int:
        """Make what was sealed for these scopes unreadable for good; how many keys there were."""
        with self._lock, self._failing():
            with self._transaction():
                self._database.executemany(
                    "INSERT OR IGNORE INTO destroyed VALUES (?)", [(scope,) for scope in scopes]
                )
                gone = sum(
                    self._database.execute("DELETE FROM keys WHERE scope = ?", (scope,)).rowcount
                    for scope in scopes
                )
            for scope in scopes:
                self._known.pop(scope, None)
            if gone:
                self._database.execute("VACUUM")  # moves no deleted page along
            return gone

    def close(self) -> None:
        """Safe twice."""
        with self._lock:
            self._database.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:  # a full disk ends it by itself
                self._database.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """Within, errors of SQLite and of the disk become ours."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (
                sqlite3.SQLITE_NOTADB,
                sqlite3.SQLITE_CORRUPT,
            ):
                raise LedgerCorrupt(f"{self._path} holds no keys ({error})") from error
            raise StorageError(f"cannot use the keys of the ledger in {self._path}: {error}") from error
        except OSError as error:
            raise StorageError(f"cannot make {self._path}: {error.strerror}") from error
