"""Text and colours on pictures: what annotated videos and contact sheets share.

The colours are from the palette of Okabe and Ito (2008), which people with any colour vision can tell
apart, and all are light enough for dark text. Colour never carries the meaning alone: the outcome is
written out beside it.
"""

from __future__ import annotations

import cv2

from pipeline.types import ByteArray, Outcome

DARK_BGR = (16, 16, 16)

_COLOURS_BGR: dict[Outcome | None, tuple[int, int, int]] = {
    Outcome.KNOWN: (115, 158, 0),
    Outcome.UNKNOWN: (0, 159, 230),
    Outcome.AMBIGUOUS: (66, 228, 240),
    Outcome.LOW_QUALITY: (176, 176, 176),
    Outcome.SUSPECTED_ATTACK: (167, 121, 204),
    None: (233, 180, 86),
}


def outcome_colour_bgr(outcome: Outcome | None) -> tuple[int, int, int]:
    """The colour of an outcome; ``None`` is a track that is not decided yet."""
    return _COLOURS_BGR[outcome]


def outcome_words(outcome: Outcome | None) -> str:
    """An outcome as a person reads it, e.g. ``low quality``."""
    return "undecided" if outcome is None else outcome.value.replace("_", " ")


def text_width_px(text: str, size_px: int, *, weight: int = 600) -> int:
    """How wide :func:`write_text` makes `text`."""
    _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), _font(), size_px, weight)
    return int(width)


def fit_text(text: str, size_px: int, width_px: int) -> str:
    """`text` on one line, shortened to at most `width_px` with an ellipsis where it is too long."""
    line = " ".join(text.split())
    if text_width_px(line, size_px) <= width_px:
        return line
    low, high = 0, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        fits = text_width_px(line[:middle].rstrip() + "…", size_px) <= width_px
        low, high = (middle, high) if fits else (low, middle - 1)
    return line[:low].rstrip() + "…" if low else ""


def write_text(
    image_bgr: ByteArray,
    text: str,
    at: tuple[int, int],
    size_px: int,
    colour_bgr: tuple[int, int, int] = DARK_BGR,
    *,
    weight: int = 600,
) -> None:
    """Write one line into `image_bgr` (uint8 (H, W, 3), changed in place).

    OpenCV's own fonts cover Latin, Greek, Cyrillic, Arabic and Chinese, Japanese and Korean characters;
    what they lack shows as a question mark.

    Args:
        at: Where the line starts: pixels from the left, and from the top to the line that letters stand on.
        size_px: Nominal letter height; capitals are about seven tenths of it.
        weight: 100 (thin) .. 900 (black).
    """
    cv2.putText(image_bgr, text, at, colour_bgr, _font(), size_px, weight)


def _font() -> cv2.FontFace:
    return cv2.FontFace("sans")
