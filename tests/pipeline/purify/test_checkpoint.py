"""A checkpoint comes back as it was, or is refused with a reason."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pipeline.errors import StorageError, UsageError
from pipeline.purify.checkpoint import load_checkpoint, save_checkpoint

STATE = {"weights": {"a": torch.arange(5000.0)}, "epoch": 3}
MADE_WITH = {"seed": 1, "pictures": 40}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "training.checkpoint"


def test_what_was_saved_comes_back(path: Path) -> None:
    assert load_checkpoint(path, MADE_WITH) is None
    save_checkpoint(path, STATE, MADE_WITH)
    state = load_checkpoint(path, MADE_WITH)
    assert state is not None
    assert state["epoch"] == 3
    assert torch.equal(state["weights"]["a"], torch.arange(5000.0))
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_other_options_are_named(path: Path) -> None:
    save_checkpoint(path, STATE, MADE_WITH)
    with pytest.raises(UsageError, match=r"cannot go on with seed 2 \(was 1\)"):
        load_checkpoint(path, {**MADE_WITH, "seed": 2})


@pytest.mark.parametrize("keep", [0, 4, 1000, -1])
def test_a_damaged_file_is_refused(path: Path, keep: int) -> None:
    save_checkpoint(path, STATE, MADE_WITH)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UsageError, match=r"training\.checkpoint is not a checkpoint"):
        load_checkpoint(path, MADE_WITH)


class Trap:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch trapped",)


@pytest.mark.parametrize("content", [Trap(), [1, 2], {"state": {}}, {"made_with": {}, "state": {}}])
def test_another_programs_file_is_refused_and_not_run(
    path: Path, content: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    monkeypatch.chdir(path.parent)
    torch.save(content, path)
    with pytest.raises(UsageError, match="is not a checkpoint"):
        load_checkpoint(path, MADE_WITH)
    assert not Path("trapped").exists()


def test_a_full_disk_leaves_the_checkpoint_before(
    path: Path, full_disk: Callable[[int], contextlib.AbstractContextManager[None]]
) -> None:
    save_checkpoint(path, STATE, MADE_WITH)
    with full_disk(10_000), pytest.raises(StorageError, match=r"training\.checkpoint"):
        save_checkpoint(path, {**STATE, "epoch": 4}, MADE_WITH)
    state = load_checkpoint(path, MADE_WITH)
    assert state is not None
    assert state["epoch"] == 3
    assert [file.name for file in path.parent.iterdir()] == [path.name]
