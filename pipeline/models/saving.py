"""Writes a model: a safetensors file, and the card that names it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import StorageError
from pipeline.models.card import ModelCard, ModelFile, card_document
from pipeline.models.checksum import sha256_of

if TYPE_CHECKING:
    import torch


def save_model(
    folder: Path,
    card: ModelCard,
    tensors: Mapping[str, torch.Tensor],
    metadata: Mapping[str, str] | None = None,
) -> ModelCard:
    """Write ``NAME.safetensors`` and ``NAME.card.yaml`` and return the card with its file.

    Args:
        folder: Made if need be.
        card: Without files.
        tensors: By the names that they have in the file.
        metadata: What the file says of itself.

    Raises:
        StorageError: the folder cannot be written.
    """
    import safetensors
    from safetensors.torch import save_file

    path = folder / f"{card.name}.safetensors"
    stored = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        save_file(stored, part, None if metadata is None else dict(metadata))
        file = ModelFile(path.name, sha256_of(part), size_bytes=part.stat().st_size)
        complete = replace(card, files=(file,))
        part.replace(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise StorageError(f"cannot write {path}: {error}") from error
    save_card(folder, complete)
    return complete


def save_card(folder: Path, card: ModelCard) -> None:
    """Write ``NAME.card.yaml``, in the place of one that may be there.

    Raises:
        StorageError: the folder cannot be written.
    """
    path = folder / f"{card.name}.card.yaml"
    # JSON is YAML; nothing that is not installed everywhere is needed to write it.
    document = json.dumps(card_document(card), indent=2) + "\n"
    try:
        part = path.with_suffix(".part")
        part.write_text(document, "utf-8")
        part.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error}") from error
