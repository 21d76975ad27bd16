"""Where a training stands, on disk: it must neither be lost nor go on with something else."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import StorageError, UsageError


def save_checkpoint(path: Path, state: Mapping[str, Any], made_with: Mapping[str, Any]) -> None:
    """Replace `path` by `state`: tensors, numbers, strings, and dictionaries and lists of them.

    Args:
        path: Its folder is made if need be.
        state: What :func:`load_checkpoint` is to give.
        made_with: What must be equal for a training to go on: options, the number of pictures.

    Raises:
        StorageError: it cannot be written; what was there before is left.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"made_with": dict(made_with), "state": dict(state)}, part)
        part.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as the latter
        part.unlink(missing_ok=True)
        raise StorageError(f"cannot write the checkpoint {path}: {error}") from error


def load_checkpoint(path: Path, made_with: Mapping[str, Any]) -> dict[str, Any] | None:
    """The state that was saved, on the CPU; ``None`` if there is no such file. Runs no code of the file.

    Raises:
        UsageError: it is damaged, or `made_with` is not what it was made with.
    """
    if not path.exists():
        return None
    try:
        document = torch.load(path, "cpu", weights_only=True)
        was, state = document["made_with"], document["state"]
        other = [name for name, value in made_with.items() if was[name] != value]
    except (OSError, EOFError, pickle.UnpicklingError, RuntimeError, LookupError, TypeError) as error:
        raise UsageError(f"{path} is not a checkpoint of this training: delete it or name another") from error
    if other:
        changed = ", ".join(f"{name} {made_with[name]!r} (was {was[name]!r})" for name in other)
        raise UsageError(f"{path} cannot go on with {changed}: use what it began with, or delete it")
    return dict(state)
