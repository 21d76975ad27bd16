"""PIN on disk: one safetensors file and the card that names it."""

from __future__ import annotations

import json
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save_file

from pipeline.errors import ModelFormatError, StorageError
from pipeline.models.card import ModelCard, ModelFile, ModelKind, OptionValue, card_document
from pipeline.models.checksum import sha256_of
from pipeline.purify.basis import EigenBasis, SeparableBasis

ARCHITECTURE = "pin_topk"
_FORMAT = "pinwatch.pin/1"
_MEAN = "mean_ycc"

PinBasis = EigenBasis | SeparableBasis


def save_pin(
    folder: Path, name: str, mean: torch.Tensor, basis: PinBasis, *, description: str, **options: OptionValue
) -> ModelCard:
    """Write ``NAME.safetensors`` and ``NAME.card.yaml`` and return the card.

    Args:
        folder: Made if need be.
        name: The card's name.
        mean: float32 (3, 112, 112): mean Y, Cb, Cr planes.
        basis: The components.
        description: For people; becomes part of the card.
        options: For the loader: ``keep``, ``chroma_keep``.

    Raises:
        StorageError: the folder cannot be written.
        ValueError: `name` cannot be a file name.
    """
    path = folder / f"{name}.safetensors"
    tensors = {_MEAN: mean, **basis.tensors()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        save_file({key: value.contiguous() for key, value in tensors.items()}, part, {"format": _FORMAT})
        file = ModelFile(path.name, sha256_of(part), size_bytes=part.stat().st_size)
        card = _card(name, file, description, options)
        part.replace(path)
        # JSON is YAML; nothing that is not installed everywhere is needed to write it.
        (folder / f"{name}.card.yaml").write_text(json.dumps(card_document(card), indent=2) + "\n", "utf-8")
    except (OSError, safetensors.SafetensorError) as error:
        raise StorageError(f"cannot write {path}: {error}") from error
    return card


def _card(name: str, file: ModelFile, description: str, options: dict[str, OptionValue]) -> ModelCard:
    return ModelCard(
        name=name,
        kind=ModelKind.PURIFIER,
        architecture=ARCHITECTURE,
        licence="that of the photographs it was fitted to",
        source="fitted with `pinwatch pin fit`",
        description=description,
        files=(file,),
        options=options,
    )


def load_pin(path: Path) -> tuple[torch.Tensor, PinBasis]:
    """Mean planes and basis of a file that :func:`save_pin` wrote.

    Raises:
        ModelFormatError: it is damaged or not such a file.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("format") != _FORMAT:
                raise ModelFormatError(f"{path} is not a PIN basis of format {_FORMAT}")
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        mean = tensors.pop(_MEAN)
        basis = EigenBasis(**tensors) if "components" in tensors else SeparableBasis(**tensors)
    except (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelFormatError(f"{path} is not a PIN basis: {error}") from error
    if not all(torch.isfinite(value).all() for value in (mean, *basis.buffers())):
        raise ModelFormatError(f"{path} holds values that are not finite")
    return mean, basis
