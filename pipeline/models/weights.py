"""Loads weights, from torch checkpoints or safetensors, without ever running code from them."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ModelFormatError

if TYPE_CHECKING:
    import torch
    from torch import nn

# What torch.load is known to raise on files that are not checkpoints, or that hold more than tensors.
_LOAD_ERRORS = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OSError,
    EOFError,
)


def load_state_dict(path: Path) -> Mapping[str, torch.Tensor]:
    """The tensors of a ``.safetensors``, ``.pt`` or ``.pth`` file, on the CPU.

    Raises:
        ModelFormatError: it is not a checkpoint, holds anything but tensors by name, or needs code to
            be run (``weights_only`` refuses that before anything happens).
    """
    import torch

    if path.suffix == ".safetensors":
        return _load_safetensors(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except _LOAD_ERRORS as error:
        reason = str(error).splitlines()[0] if str(error) else repr(error)
        raise ModelFormatError(f"{path} is not a checkpoint of plain weights: {reason}") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ModelFormatError(f"{path} does not hold tensors by name (a state_dict)")
    return state


def _load_safetensors(path: Path) -> Mapping[str, torch.Tensor]:
    import safetensors
    from safetensors.torch import load_file

    try:
        state: Mapping[str, torch.Tensor] = load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise ModelFormatError(f"{path} is not a file of weights: {error}") from error
    return state


def load_into(network: nn.Module, path: Path) -> None:
    """Fill `network` with the weights of `path`, strictly: no name too many, none missing, shapes equal.

    Raises:
        ModelFormatError: the file cannot be read as weights, or they are another network's.
    """
    state = load_state_dict(path)
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        first = " ".join(str(error).split())[:300]
        raise ModelFormatError(f"{path} holds the weights of another network: {first}") from error
