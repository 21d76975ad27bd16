"""Where a ledger lies, and which it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audit.ledger.folder import LedgerFolder
from pipeline.errors import LedgerCorrupt, StorageError


@pytest.fixture
def folder(tmp_path: Path) -> LedgerFolder:
    folder = LedgerFolder(tmp_path / "ledger")
    folder.create()
    return folder


def test_a_ledger_is_made_once(folder: LedgerFolder, tmp_path: Path) -> None:
    identity = folder.identity()
    folder.create()
    assert folder.identity() == identity
    assert len(bytes.fromhex(identity)) == 8
    assert folder.writers() == []
    assert not LedgerFolder(tmp_path / "other").exists()


def test_no_temporary_file_stays(folder: LedgerFolder) -> None:
    found = {path.name for path in folder.root.iterdir()}
    assert found == {"chains", "checkpoints.chain", "ledger.json", "lock"}


def test_a_folder_without_ledger_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerCorrupt, match=r"there is no ledger in .*nowhere.*put that file back"):
        LedgerFolder(tmp_path / "nowhere").identity()


@pytest.mark.parametrize("text", ["", "{}", "[]", "5", '{"ledger_id": "a", "format": "x"}', "[" * 100_000])
def test_an_identity_that_cannot_be_read_is_named(folder: LedgerFolder, text: str) -> None:
    folder.about.write_text(text)
    with pytest.raises(LedgerCorrupt, match=r"ledger\.json does not say which ledger this is"):
        folder.identity()


def test_a_ledger_of_a_newer_version_is_refused_by_name(folder: LedgerFolder) -> None:
    folder.about.write_text(json.dumps({"ledger_id": "a", "format": 2}))
    with pytest.raises(LedgerCorrupt, match="newer Pinwatch"):
        folder.identity()


def test_a_place_where_no_ledger_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot make a ledger in .*file"):
        LedgerFolder(tmp_path / "file").create()
