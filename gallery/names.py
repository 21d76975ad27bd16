"""Names that people give: to subjects and to watch lists."""

from __future__ import annotations

import unicodedata

from pipeline.errors import UsageError

MAX_LENGTH = 200
_FORBIDDEN = frozenset("/\\")
_JOINERS = frozenset("\u200c\u200d")
"""Scripts of India and Persia are not written without them; all other format characters only hide or bend."""


def clean_name(name: str, what: str = "subject") -> str:
    """The name as it is kept: composed Unicode (NFC), without space around it.

    Two spellings of one text that look the same are the same name. A name can always be used as
    the name of a folder, because exports make a folder per subject.

    Raises:
        UsageError: the name is empty, too long, or holds what a folder name must not.
    """
    cleaned = unicodedata.normalize("NFC", name).strip()
    problem = _problem(cleaned)
    if problem:
        raise UsageError(f"{name!r} cannot be the name of a {what}: {problem}")
    return cleaned


def _problem(name: str) -> str | None:
    if not name:
        return "it is empty"
    if len(name.encode("utf-8", "surrogatepass")) > MAX_LENGTH:
        return f"it is longer than {MAX_LENGTH} bytes"
    if _FORBIDDEN & set(name):
        return "it holds a slash"
    if name in (".", ".."):
        return "it means a folder"
    return _unseen(name)


def _unseen(name: str) -> str | None:
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in name):
        return "it holds a control character or bytes that are not text"
    if any(unicodedata.category(char) == "Cf" and char not in _JOINERS for char in name):
        return "it holds a character that nobody sees, so that it could look like another name"
    return None
