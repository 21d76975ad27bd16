"""Writes a trained network: weights of half precision with a card."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from pipeline.embed.residual import EMBEDDING_DIM
from pipeline.models import InputSpec, ModelCard, ModelKind
from pipeline.models.saving import save_model
from pipeline.purify.storage import LICENCE

EMBEDDER_ARCHITECTURE = "residual_facenet"
DETECTOR_ARCHITECTURE = "compact"


def embedder_card(name: str, description: str, source: str, licence: str = LICENCE) -> ModelCard:
    """Of a :class:`~pipeline.embed.residual.ResidualFaceNet`, without its file."""
    return ModelCard(
        name=name,
        kind=ModelKind.EMBEDDER,
        architecture=EMBEDDER_ARCHITECTURE,
        licence=licence,
        source=source,
        description=description,
        input=InputSpec(112, 112, "rgb", (127.5,) * 3, (127.5,) * 3, "arcface-112"),
        dim=EMBEDDING_DIM,
    )


def detector_card(name: str, description: str, source: str, licence: str = LICENCE) -> ModelCard:
    """Of a :class:`~pipeline.detect.compact.CompactNet`, without its file."""
    return ModelCard(
        name=name,
        kind=ModelKind.DETECTOR,
        architecture=DETECTOR_ARCHITECTURE,
        licence=licence,
        source=source,
        description=description,
        input=InputSpec(None, None, "bgr", (127.5,) * 3, (127.5,) * 3),
    )


def save_network(folder: Path, card: ModelCard, network: nn.Module) -> ModelCard:
    """Write ``NAME.safetensors`` and ``NAME.card.yaml`` and return the card with its file.

    Weights are rounded to half precision: what is measured afterwards is what was rounded.

    Args:
        folder: Made if need be.
        card: Without files.
        network: Whose state is written.

    Raises:
        StorageError: the folder cannot be written.
    """
    return save_model(
        folder,
        card,
        {
            name: value.half() if value.is_floating_point() else value
            for name, value in network.state_dict().items()
        },
    )
