"""Keys of sealed contents."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.ledger.keys import KeyRing
from audit.ledger.sealing import seal, unseal
from pipeline.errors import LedgerCorrupt, StorageError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger" / "keys.db"


@pytest.fixture
def ring(path: Path) -> Iterator[KeyRing]:
    ring = KeyRing(path)
    yield ring
    ring.close()


def test_every_scope_has_a_key_of_its_own_and_keeps_it(ring: KeyRing, path: Path) -> None:
    keys = ring.obtain(["a", "b"], 5)
    assert keys["a"] != keys["b"]
    assert ring.obtain(["b"], 6) == {"b": keys["b"]}
    assert ring.find("a") == keys["a"]
    ring.close()
    again = KeyRing(path)
    assert again.obtain(["b", "a"], 7) == keys
    again.close()


def test_a_scope_that_nobody_sealed_for_has_none(ring: KeyRing) -> None:
    assert ring.find("a") is None


def test_only_the_owner_may_read_them(ring: KeyRing, path: Path) -> None:
    ring.obtain(["a"], 5)
    assert path.stat().st_mode & 0o077 == 0


def test_a_track_belongs_to_whom_it_was_named_as_last(ring: KeyRing) -> None:
    key = ring.obtain(["a"], 5)["a"]
    assert ring.unnamed_before(6) == ["a"]
    assert ring.obtain(["a"], 6, {"a": "s1"}) == {"a": key}
    assert (ring.scopes_of("s1"), ring.unnamed_before(9)) == (["a"], [])
    assert ring.obtain(["a", "b"], 7) == {"a": key, "b": ring.find("b")}  # nobody said whom
    assert ring.scopes_of("s1") == ["a"]
    ring.obtain(["a"], 8, {"a": "s2"})
    assert (ring.scopes_of("s1"), ring.scopes_of("s2")) == ([], ["a"])


def test_unnamed_ones_are_found_by_their_age(ring: KeyRing) -> None:
    ring.obtain(["old"], 5)
    ring.obtain(["new"], 9)
    assert ring.unnamed_before(9) == ["old"]


def test_a_destroyed_key_is_nowhere_in_the_file(ring: KeyRing, path: Path) -> None:
    scopes = [f"scope-{number}" for number in range(200)]
    keys = ring.obtain(scopes, 5)
    gone = scopes[::3]
    assert all(keys[scope] in path.read_bytes() for scope in scopes)
    assert ring.destroy(gone) == len(gone)
    left = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert not any(keys[scope] in left for scope in gone)
    assert all(ring.find(scope) is None for scope in gone)
    assert all(ring.find(scope) == keys[scope] for scope in scopes if scope not in gone)


def test_destroying_again_destroys_nothing(ring: KeyRing) -> None:
    ring.obtain(["a"], 5)
    assert (ring.destroy(["a", "never"]), ring.destroy(["a"])) == (1, 0)


def test_what_was_erased_stays_erased_whatever_is_sealed_afterwards(ring: KeyRing, path: Path) -> None:
    ring.obtain(["a"], 5, {"a": "s1"})
    other = KeyRing(path)
    other.destroy(["a"])
    for one in (ring, other):  # whoever remembers the key, and whoever does not
        sealed = seal(one.obtain(["a"], 6, {"a": "s2"})["a"], b"content", "here")
        assert one.find("a") is None
        assert one.scopes_of("s2") == []
        assert b"content" not in sealed
    other.close()


def test_two_rings_give_one_key(ring: KeyRing, path: Path) -> None:
    other = KeyRing(path)
    assert ring.obtain(["a"], 5) == other.obtain(["a"], 6)
    sealed = seal(ring.obtain(["b"], 7)["b"], b"content", "here")
    key = other.find("b")
    assert key is not None
    assert unseal(key, sealed, "here") == b"content"
    other.close()


OBTAIN = """
import sys
from pathlib import Path
from audit.ledger.keys import KeyRing
ring = KeyRing(Path(sys.argv[1]))
for number in range(60):
    print(ring.obtain([f"scope-{number}"], 5)[f"scope-{number}"].hex())
ring.close()
"""


def test_two_processes_obtain_the_same_keys(path: Path) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", OBTAIN, path], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    one, other = (process.communicate(timeout=60)[0].split() for process in started)
    assert [process.returncode for process in started] == [0, 0]
    assert one == other
    assert len(set(one)) == 60


def test_a_key_that_could_not_be_kept_is_not_given_out(ring: KeyRing, path: Path) -> None:
    blocker = sqlite3.connect(path)
    blocker.execute("CREATE TRIGGER full BEFORE INSERT ON keys BEGIN SELECT RAISE(FAIL, 'disk full'); END")
    with pytest.raises(StorageError, match=r"keys\.db: disk full"):
        ring.obtain(["a"], 5)
    assert ring.find("a") is None
    blocker.execute("DROP TRIGGER full")
    blocker.close()
    assert ring.obtain(["a"], 5) == {"a": ring.find("a")}


def test_a_file_of_something_else_is_named(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(LedgerCorrupt, match=r"keys\.db holds no keys"):
        KeyRing(path)


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot make"):
        KeyRing(tmp_path / "file" / "keys.db")


def test_closing_twice_is_harmless(ring: KeyRing) -> None:
    ring.close()
    with pytest.raises(StorageError):
        ring.find("a")
