"""One chain file that is written to."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import pytest

from audit.ledger.chain import MAX_TORN_BYTES, ChainFile
from audit.ledger.frames import beginning, read_frames
from pipeline.errors import LedgerCorrupt, StorageError


def bodies_in(path: Path) -> list[bytes]:
    return [frame.body for frame in read_frames(path, beginning("x"))]


def chain_of(path: Path, *bodies: bytes) -> bytes:
    with closing(ChainFile.begin(path, "x")) as chain:
        if bodies:
            chain.append(bodies)
    return path.read_bytes()


def test_what_was_appended_is_there(tmp_path: Path) -> None:
    path = tmp_path / "x.chain"
    with closing(ChainFile.begin(path, "x")) as chain:
        chain.append([b"one", b"two"])
        head = chain.append([b"three"])
        assert head == chain.head
        assert head.count == 3
        assert bodies_in(path) == [b"one", b"two", b"three"]


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x.chain"
    chain_of(path, b"one")
    chain_of(path, b"two")
    assert bodies_in(path) == [b"one", b"two"]


def test_what_a_crash_tore_is_cut_off_wherever_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x.chain"
    one = chain_of(path, b"one")
    both = chain_of(path, b"two")
    for size in range(len(one), len(both)):
        path.write_bytes(both[:size])
        chain_of(path, b"three")
        assert bodies_in(path) == [b"one", b"three"]


def test_zeros_of_a_power_cut_are_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "x.chain"
    path.write_bytes(chain_of(path, b"one") + bytes(4096))
    chain_of(path, b"two")
    assert bodies_in(path) == [b"one", b"two"]


def test_more_than_a_crash_can_tear_is_not_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "x.chain"
    data = chain_of(path, b"one") + bytes(MAX_TORN_BYTES + 1)
    path.write_bytes(data)
    with pytest.raises(LedgerCorrupt, match="record 1 at byte 39 is cut off"):
        ChainFile.begin(path, "x")
    assert path.read_bytes() == data


def test_a_changed_chain_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "x.chain"
    data = chain_of(path, b"one", b"two").replace(b"one", b"eno")
    path.write_bytes(data)
    with pytest.raises(LedgerCorrupt, match="record 0 at byte 0 is not what was written"):
        ChainFile.begin(path, "x")
    assert path.read_bytes() == data


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nowhere/x\.chain \(No such file"):
        ChainFile.begin(tmp_path / "nowhere" / "x.chain", "x")


def test_whoever_comes_second_waits_and_goes_on_behind_the_first(tmp_path: Path) -> None:
    path = tmp_path / "x.chain"
    first = ChainFile.begin(path, "x")
    second = threading.Thread(target=chain_of, args=(path, b"two"))
    second.start()
    second.join(0.1)
    assert second.is_alive()
    first.append([b"one"])
    first.close()
    second.join(10)
    assert bodies_in(path) == [b"one", b"two"]


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    chain = ChainFile.begin(tmp_path / "x.chain", "x")
    chain.close()
    chain.close()
