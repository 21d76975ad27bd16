"""How changes of the gallery are told to whoever keeps a record of them."""

from __future__ import annotations

from collections.abc import Callable, Collection

Changed = Callable[[str, Collection[str], int], None]
"""Told what was done, the ids of the subjects it was done to, and the gallery epoch afterwards."""


def nobody_told(what: str, subject_ids: Collection[str], epoch: int) -> None:
    """For whoever keeps no record of changes."""
