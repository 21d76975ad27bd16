"""Reads torch checkpoints without ever running code from them."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import ModelFormatError

_MAX_BYTES = 1 << 30  # of a checkpoint packed in an archive: far above any detector's


def load_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint, by name, on the CPU.

    Takes what ``torch.save`` writes, also packed as the only member of a zip archive (how torch.hub
    publishes older files), also under the key ``state_dict``; the prefix ``module.`` of models
    trained on several GPUs is removed.

    Raises:
        ModelFormatError: the file is none of these, or would need code to be run to load it.
    """
    try:
        loaded: Any = torch.load(_open(path), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise ModelFormatError(f"{path} cannot be loaded as a checkpoint of weights only: {error}") from error
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict) or not all(isinstance(t, torch.Tensor) for t in loaded.values()):
        raise ModelFormatError(f"{path} holds something other than named tensors")
    return {str(name).removeprefix("module."): tensor for name, tensor in loaded.items()}


def _open(path: Path) -> io.BytesIO | Path:
    """The checkpoint itself: `path`, or the only member of the archive that `path` is."""
    if not zipfile.is_zipfile(path):
        return path
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) != 1:
            return path  # torch's own format is an archive too, of many members
        if members[0].file_size > _MAX_BYTES:
            raise ValueError(f"its member {members[0].filename} unpacks to {members[0].file_size} bytes")
        return io.BytesIO(archive.read(members[0]))
