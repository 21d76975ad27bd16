"""Free text that people type beside something."""

from __future__ import annotations

from pipeline.errors import UsageError

NOTE_LENGTH = 2000
_KEPT = frozenset("\n\t")


def clean_note(text: str) -> str:
    """The text without what no database keeps and no page shows.

    Raises:
        UsageError: it is longer than 2,000 characters.
    """
    if len(text) > NOTE_LENGTH:
        raise UsageError(f"a note has {NOTE_LENGTH} characters at most, not {len(text)}")
    whole = text.replace("\r\n", "\n").encode("utf-8", "replace").decode()
    return "".join(one for one in whole if one in _KEPT or ord(one) >= 0x20).strip()


def clean_label(text: str) -> str:
    """The same on one line."""
    return " ".join(clean_note(text).split())
