"""The picture of the attack: faces in a row, with what was said of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.types import CROP_SIZE_PX, ByteArray, Outcome, check_array
from workers.lettering import DARK_BGR, fit_text, outcome_colour_bgr, outcome_words, write_text

_FACE_PX = 280
_BAR_PX = 34
_GAP_PX = 20
_HEADING_PX = 34
_CAPTION_PX = 76
_TITLE_PX = 52
_FOOT_PX = 30
_PAPER_BGR = (250, 250, 250)
_FAINT_BGR = (96, 96, 96)
_PLAIN_BAR_BGR = (222, 222, 222)


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One face of the row.

    Attributes:
        heading: Above it: what it is.
        crop_rgb: uint8 (112, 112, 3).
        outcome: On the coloured bar under it; ``None`` where nobody was asked.
        bar: What the bar says.
        lines: Below that, at most three.
    """

    heading: str
    crop_rgb: ByteArray
    outcome: Outcome | None
    bar: str
    lines: tuple[str, ...]

    def __post_init__(self) -> None:
        check_array("crop_rgb", self.crop_rgb, np.uint8, (CROP_SIZE_PX, CROP_SIZE_PX, 3))


def said(outcome: Outcome, name: str) -> str:
    """An outcome as a bar says it, with the name where somebody was named."""
    return f"{outcome_words(outcome)}: {name}" if outcome is Outcome.KNOWN else outcome_words(outcome)


def amplified(clean_rgb: ByteArray, attacked_rgb: ByteArray, factor: int) -> ByteArray:
    """The difference `factor` times as large about mid-grey: uint8, the shape of both."""
    difference = attacked_rgb.astype(np.int32) - clean_rgb
    return np.asarray(np.clip(128 + factor * difference, 0, 255), np.uint8)


def strip(title: str, panels: Sequence[Panel], foot: str) -> ByteArray:
    """The panels from left to right under a title: uint8 (H, W, 3) BGR."""
    width = len(panels) * (_FACE_PX + _GAP_PX) + _GAP_PX
    cell_px = _HEADING_PX + _FACE_PX + _BAR_PX + _CAPTION_PX
    picture = np.full((_TITLE_PX + cell_px + _FOOT_PX, width, 3), _PAPER_BGR, np.uint8)
    room_px = width - 2 * _GAP_PX
    write_text(picture, fit_text(title, 22, room_px), (_GAP_PX, 34), 22)
    for number, panel in enumerate(panels):
        left = _GAP_PX + number * (_FACE_PX + _GAP_PX)
        picture[_TITLE_PX : _TITLE_PX + cell_px, left : left + _FACE_PX] = _cell(panel, cell_px)
    at = (_GAP_PX, len(picture) - 14)
    write_text(picture, fit_text(foot, 14, room_px), at, 14, _FAINT_BGR, weight=400)
    return picture


def _cell(panel: Panel, height_px: int) -> ByteArray:
    cell = np.full((height_px, _FACE_PX, 3), _PAPER_BGR, np.uint8)
    write_text(cell, fit_text(panel.heading, 17, _FACE_PX), (0, 22), 17)
    face_bgr = np.ascontiguousarray(panel.crop_rgb[:, :, ::-1])
    top, bottom = _HEADING_PX, _HEADING_PX + _FACE_PX
    cell[top:bottom] = cv2.resize(face_bgr, (_FACE_PX, _FACE_PX), interpolation=cv2.INTER_CUBIC)
    colour = _PLAIN_BAR_BGR if panel.outcome is None else outcome_colour_bgr(panel.outcome)
    cell[bottom : bottom + _BAR_PX] = colour
    write_text(cell, fit_text(panel.bar, 18, _FACE_PX - 16), (8, bottom + 24), 18, DARK_BGR)
    for row, line in enumerate(panel.lines):
        at = (0, bottom + _BAR_PX + 22 + 22 * row)
        write_text(cell, fit_text(line, 15, _FACE_PX), at, 15, _FAINT_BGR, weight=400)
    return cell
