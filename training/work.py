"""What every recipe shares: where it keeps things, and whom it tells how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.purify.storage import LICENCE

Tell = Callable[[str, int, int], None]
"""Told what is being done, how much of it is, and how much there is."""


@dataclass(frozen=True, slots=True)
class Work:
    """Where a training keeps what it needs, and what the result is called.

    Attributes:
        out: Folder of ``NAME.safetensors`` and its card, and of a folder of intermediate files.
        name: The card's name.
        licence: Of the weights: that of the photographs.
        command: What makes them, for the card.
    """

    out: Path
    name: str
    licence: str = LICENCE
    command: str = "pinwatch pin train"

    @property
    def folder(self) -> Path:
        return self.out / f"{self.name}.work"
