"""Model cards, where their files are, and how to get them.

A card is data (``configs/models.yaml`` or ``*.card.yaml`` beside a model file). Nothing is loaded
before its SHA-256 has been checked against its card: :meth:`Catalogue.open` is the only way to a path.
"""

from __future__ import annotations

from pipeline.models.card import (
    CardThresholds,
    InputSpec,
    ModelCard,
    ModelFile,
    ModelKind,
    StrangerScore,
    card_document,
    check_card_name,
)
from pipeline.models.catalogue import Catalogue, FileState, FileStatus, VerifiedModel
from pipeline.models.checksum import sha256_of, verify_file
from pipeline.models.pull import pull
from pipeline.models.weights import load_into, load_state_dict

__all__ = [
    "CardThresholds",
    "Catalogue",
    "FileState",
    "FileStatus",
    "InputSpec",
    "ModelCard",
    "ModelFile",
    "ModelKind",
    "StrangerScore",
    "VerifiedModel",
    "card_document",
    "check_card_name",
    "load_into",
    "load_state_dict",
    "pull",
    "sha256_of",
    "verify_file",
]
