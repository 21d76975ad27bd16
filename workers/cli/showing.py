"""How paths and similarities are shown: any file name can be printed, even one that is not text."""

from __future__ import annotations

from pathlib import Path


def path_text(path: Path) -> str:
    """The path as text; bytes that are not UTF-8 become the replacement character."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def similarity_text(similarity: float | None) -> str:
    return "" if similarity is None else f"{similarity:.3f}"
