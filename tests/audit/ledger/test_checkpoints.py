"""Signed statements of how far chains go."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from audit.ledger.checkpoints import (
    add_checkpoint,
    export_checkpoint,
    read_checkpoints,
    read_exported,
)
from audit.ledger.folder import LedgerFolder
from audit.ledger.frames import BrokenChain, Head
from audit.ledger.signing import Signer, Verifier
from pipeline.errors import LedgerCorrupt, StorageError
from tests.audit.ledger.ledgers import cut, framed, start_of

HEADS = {"a": Head(3, b"h" * 32), "b": Head(1, b"i" * 32)}


@pytest.fixture
def folder(tmp_path: Path) -> LedgerFolder:
    folder = LedgerFolder(tmp_path / "ledger")
    folder.create()
    Signer.of(folder)
    return folder


def add(folder: LedgerFolder, times: int = 1) -> list[int]:
    signer = Signer.of(folder)
    return [add_checkpoint(folder, signer, HEADS, 5) for _ in range(times)]


def numbers(folder: LedgerFolder) -> list[int]:
    verifier = Verifier.read(folder.public_key)
    return [checkpoint.number for checkpoint, _ in read_checkpoints(folder, verifier)]


def hint(folder: LedgerFolder) -> Path:
    return folder.root / "checkpoints.hint"


def test_a_checkpoint_says_how_far_chains_go(folder: LedgerFolder) -> None:
    assert add(folder, 3) == [0, 1, 2]
    found = list(read_checkpoints(folder, Verifier.read(folder.public_key)))
    assert [(one.number, one.at_ns, one.ledger_id) for one, _ in found] == [
        (number, 5, folder.identity()) for number in range(3)
    ]
    assert found[2][0].heads == {"a": (3, b"h" * 32), "b": (1, b"i" * 32)}


def test_reading_goes_on_where_it_was(folder: LedgerFolder) -> None:
    add(folder, 3)
    verifier = Verifier.read(folder.public_key)
    frames = [frame for _, frame in read_checkpoints(folder, verifier)]
    later = [one.number for one, _ in read_checkpoints(folder, verifier, frames[1].end)]
    assert later == [2]


WRONG_HINTS = [
    "",
    "garbage",
    "\0" * 50,
    "[]",
    "{}",
    '{"number": 3, "before": "zz", "offset": 0}',
    '{"number": 3, "before": "", "offset": 0}',
    '{"number": 0, "before": "00", "offset": -5}',
    '{"number": 0, "before": "00", "offset": 99999999999999999999}',
    '{"number": 0, "before": "00", "offset": 9223372036854775807}',
    '{"number": 1, "before": "00", "offset": 1000000}',
    '{"number": 1, "before": "00", "offset": null}',
]


@pytest.mark.parametrize("text", WRONG_HINTS)
def test_a_hint_that_is_wrong_does_no_harm(folder: LedgerFolder, text: str) -> None:
    add(folder, 3)
    hint(folder).write_text(text)
    assert add(folder) == [3]
    assert numbers(folder) == [0, 1, 2, 3]


@pytest.mark.parametrize(("field", "value"), [("number", 7), ("number", 1), ("offset", 3), ("offset", 0)])
def test_a_hint_with_one_wrong_value_does_no_harm(folder: LedgerFolder, field: str, value: int) -> None:
    add(folder, 3)
    said = json.loads(hint(folder).read_text())
    hint(folder).write_text(json.dumps(said | {field: value}))
    assert add(folder) == [3]
    assert numbers(folder) == [0, 1, 2, 3]


def test_a_hint_that_is_old_or_gone_does_no_harm(folder: LedgerFolder) -> None:
    add(folder)
    old = hint(folder).read_text()
    add(folder, 2)
    hint(folder).write_text(old)
    assert add(folder) == [3]
    hint(folder).unlink()
    assert add(folder) == [4]
    assert numbers(folder) == [0, 1, 2, 3, 4]


def test_a_hint_that_cannot_be_written_does_no_harm(folder: LedgerFolder) -> None:
    add(folder)
    hint(folder).unlink()
    hint(folder).mkdir()
    assert add(folder, 2) == [1, 2]
    assert numbers(folder) == [0, 1, 2]


def test_the_hint_spares_reading_what_was_signed_before(folder: LedgerFolder) -> None:
    add(folder, 5)
    data = folder.checkpoints.read_bytes()
    folder.checkpoints.write_bytes(b"x" + data[1:])  # the first one is not looked at
    assert add(folder) == [5]


def test_a_checkpoint_that_a_crash_tore_is_signed_again(folder: LedgerFolder) -> None:
    add(folder, 3)
    data = folder.checkpoints.read_bytes()
    end = len(data) - len(cut(data)[-1])
    for size in range(end, len(data), 7):
        folder.checkpoints.write_bytes(data[:size])
        assert add(folder) == [2]
        assert numbers(folder) == [0, 1, 2]


def test_nothing_is_signed_onto_a_broken_chain(folder: LedgerFolder) -> None:
    add(folder, 3)
    hint(folder).unlink()
    data = folder.checkpoints.read_bytes()
    folder.checkpoints.write_bytes(data[:50] + b"x" + data[51:])
    with pytest.raises(LedgerCorrupt, match=r"record 0 at byte 0 is not what was written: run `pinwatch"):
        add(folder)


def test_a_checkpoint_signed_for_another_place_is_none_of_this_one(folder: LedgerFolder) -> None:
    """The key signed it, but not as the first: whoever holds the key did."""
    said = {"ledger_id": folder.identity(), "number": 9, "at_ns": 5, "heads": {}}
    checkpoint = msgspec.msgpack.encode(said)
    before = start_of("checkpoints")
    signature = Signer.of(folder).sign(b"pinwatch checkpoint 1\0" + before + checkpoint)
    body = msgspec.msgpack.encode({"checkpoint": checkpoint, "signature": signature})
    folder.checkpoints.write_bytes(framed(before, body))
    with pytest.raises(BrokenChain, match="record 0 at byte 0 was signed as record 9"):
        numbers(folder)


def test_a_folder_that_went_away_is_an_error_of_ours(folder: LedgerFolder) -> None:
    signer = Signer.of(folder)
    folder.root.rename(folder.root.with_name("elsewhere"))
    with pytest.raises(StorageError, match="cannot lock the ledger"):
        add_checkpoint(folder, signer, HEADS, 5)


def test_an_exported_checkpoint_proves_itself(folder: LedgerFolder, tmp_path: Path) -> None:
    for number in range(3):
        add(folder)
        verifier = Verifier.read(folder.public_key)
        path = tmp_path / "kept.json"
        path.write_bytes(export_checkpoint(folder, verifier))
        kept = read_exported(path)
        assert (kept.number, kept.ledger_id) == (number, folder.identity())
        assert kept.hash == folder.checkpoints.read_bytes()[-32:].hex()
        assert kept.open(verifier).heads == {"a": (3, b"h" * 32), "b": (1, b"i" * 32)}


def test_an_exported_checkpoint_of_another_key_does_not(folder: LedgerFolder, tmp_path: Path) -> None:
    add(folder)
    path = tmp_path / "kept.json"
    path.write_bytes(export_checkpoint(folder, Verifier.read(folder.public_key)))
    other = LedgerFolder(tmp_path / "other")
    other.create()
    Signer.of(other)
    with pytest.raises(LedgerCorrupt, match="was not signed with this key"):
        read_exported(path).open(Verifier.read(other.public_key))


def test_without_a_checkpoint_there_is_none_to_export(folder: LedgerFolder) -> None:
    with pytest.raises(LedgerCorrupt, match="holds no checkpoint yet"):
        export_checkpoint(folder, Verifier.read(folder.public_key))


def test_a_broken_chain_is_not_exported_from(folder: LedgerFolder) -> None:
    add(folder, 2)
    verifier = Verifier.read(folder.public_key)
    data = folder.checkpoints.read_bytes()
    folder.checkpoints.write_bytes(data[:50] + b"x" + data[51:])
    with pytest.raises(LedgerCorrupt, match="record 0"):
        export_checkpoint(folder, verifier)
    folder.checkpoints.unlink()
    with pytest.raises(LedgerCorrupt, match="cannot read"):
        export_checkpoint(folder, verifier)


@pytest.mark.parametrize("text", ["", "{}", "no json", '{"ledger_id": 1}'])
def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kept.json"
    path.write_text(text)
    with pytest.raises(LedgerCorrupt, match=r"kept\.json is no exported checkpoint"):
        read_exported(path)
    with pytest.raises(LedgerCorrupt, match="cannot read the checkpoint"):
        read_exported(tmp_path / "nowhere.json")
