"""Checkpoints never run code, and another network's weights are refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.errors import ModelFormatError
from pipeline.models import load_into, load_state_dict


class Trap:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.path,))


def test_weights_come_back(tmp_path: Path) -> None:
    saved = nn.Linear(3, 2)
    torch.save(saved.state_dict(), tmp_path / "net.pt")
    loaded = nn.Linear(3, 2)
    load_into(loaded, tmp_path / "net.pt")
    assert torch.equal(loaded.weight, saved.weight)


@pytest.mark.parametrize("legacy", [True, False])
def test_a_checkpoint_with_code_is_refused_and_not_run(tmp_path: Path, legacy: bool) -> None:
    path, trap = tmp_path / "net.pt", tmp_path / "ran"
    torch.save({"weight": Trap(trap)}, path, _use_new_zipfile_serialization=not legacy, pickle_module=pickle)
    with pytest.raises(ModelFormatError, match=r"net\.pt"):
        load_state_dict(path)
    assert not trap.exists()


def test_a_bare_pickle_with_code_is_refused_and_not_run(tmp_path: Path) -> None:
    path, trap = tmp_path / "net.pt", tmp_path / "ran"
    path.write_bytes(pickle.dumps(Trap(trap), protocol=2))
    with pytest.raises(ModelFormatError, match=r"net\.pt"):
        load_state_dict(path)
    assert not trap.exists()
    pickle.loads(path.read_bytes())
    assert trap.exists(), "the trap itself must work, or this test shows nothing"


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 not a zip", bytes(1000)])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.pt"
    path.write_bytes(content)
    with pytest.raises(ModelFormatError, match=r"net\.pt"):
        load_state_dict(path)


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save(nn.Linear(30, 20).state_dict(), path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ModelFormatError, match=r"net\.pt"):
        load_state_dict(path)


def test_more_than_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "net.pt")
    with pytest.raises(ModelFormatError, match="state_dict"):
        load_state_dict(tmp_path / "net.pt")


def test_the_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(3, 2).state_dict(), tmp_path / "net.pt")
    with pytest.raises(ModelFormatError, match="another network"):
        load_into(nn.Linear(3, 4), tmp_path / "net.pt")
