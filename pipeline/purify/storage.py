"""PIN on disk: one safetensors file and the card that names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import safetensors
import torch

from pipeline.errors import ModelFormatError
from pipeline.models.card import ModelCard, ModelKind, OptionValue
from pipeline.models.saving import save_model
from pipeline.purify.basis import EigenBasis, SeparableBasis
from pipeline.purify.selector import SelectorKind

ARCHITECTURES = {f"pin_{kind}": kind for kind in SelectorKind}
"""Architecture on a card -> which selector its purifier has."""

LICENCE = "that of the photographs it was fitted to"

_FORMAT = "pinwatch.pin/1"
_MEAN = "mean_ycc"
_SELECTOR = "selector."

PinBasis = EigenBasis | SeparableBasis


@dataclass(frozen=True, slots=True, eq=False)
class StoredPin:
    """What a purifier is made of.

    Attributes:
        mean: float32 (3, 112, 112): mean Y, Cb, Cr planes.
        basis: The components.
        selector: Tensors of a selector that was trained; empty for others.
    """

    mean: torch.Tensor
    basis: PinBasis
    selector: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def tensors(self) -> dict[str, torch.Tensor]:
        """By the names that they have in a file."""
        trained = {_SELECTOR + name: value for name, value in self.selector.items()}
        return {_MEAN: self.mean, **self.basis.tensors(), **trained}


def save_pin(
    folder: Path,
    name: str,
    stored: StoredPin,
    kind: SelectorKind,
    *,
    description: str,
    source: str,
    licence: str = LICENCE,
    options: Mapping[str, OptionValue],
) -> ModelCard:
    """Write ``NAME.safetensors`` and ``NAME.card.yaml`` and return the card.

    Args:
        folder: Made if need be.
        name: The card's name.
        stored: The purifier.
        kind: Which selector it has; becomes the card's architecture.
        description: For people; becomes part of the card.
        source: The command that made it.
        licence: Of the weights.
        options: For the loader: ``keep``, ``chroma_keep``, ``level``, ``noise``, ``mode``.

    Raises:
        StorageError: the folder cannot be written.
        ValueError: `name` cannot be a file name.
    """
    card = ModelCard(
        name=name,
        kind=ModelKind.PURIFIER,
        architecture=f"pin_{kind}",
        licence=licence,
        source=source,
        description=description,
        options=dict(options),
    )
    return save_model(folder, card, stored.tensors(), {"format": _FORMAT})


def load_pin(path: Path) -> StoredPin:
    """What :func:`save_pin` wrote.

    Raises:
        ModelFormatError: it is damaged or not such a file.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("format") != _FORMAT:
                raise ModelFormatError(f"{path} is not a PIN basis of format {_FORMAT}")
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        trained = {key: value for key, value in tensors.items() if key.startswith(_SELECTOR)}
        parts = {key: value for key, value in tensors.items() if key not in trained}
        mean = parts.pop(_MEAN)
        basis = EigenBasis(**parts) if "components" in parts else SeparableBasis(**parts)
    except (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelFormatError(f"{path} is not a PIN basis: {error}") from error
    if not all(torch.isfinite(value).all() for value in (mean, *basis.buffers(), *trained.values())):
        raise ModelFormatError(f"{path} holds values that are not finite")
    return StoredPin(mean, basis, {key.removeprefix(_SELECTOR): value for key, value in trained.items()})
