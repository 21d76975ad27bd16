"""Contact sheets: the best crop of each track in a grid, with what was decided about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.errors import StorageError
from pipeline.types import CROP_SIZE_PX, ByteArray, Outcome, check_array
from workers.lettering import fit_text, outcome_colour_bgr, outcome_words, write_text

_FACE_PX = 224
_BAR_PX = 30
_CAPTION_PX = 62
_GAP_PX = 16
_CELL_PX = _FACE_PX + _BAR_PX + _CAPTION_PX
_PAPER_BGR = (250, 250, 250)
_FAINT_BGR = (96, 96, 96)
_MAX_COLUMNS = 8


@dataclass(frozen=True, slots=True, eq=False)
class SheetEntry:
    """One cell of a contact sheet.

    Attributes:
        crop_rgb: uint8 (112, 112, 3), the aligned face.
        title: First line, e.g. the name.
        subtitle: Second line, smaller, e.g. the camera and the time.
        outcome: Written on the coloured bar under the face.
    """

    crop_rgb: ByteArray
    title: str
    subtitle: str
    outcome: Outcome

    def __post_init__(self) -> None:
        check_array("crop_rgb", self.crop_rgb, np.uint8, (CROP_SIZE_PX, CROP_SIZE_PX, 3))


def contact_sheet(entries: Sequence[SheetEntry]) -> ByteArray:
    """The entries in reading order, in as square a grid as they fill.

    Returns:
        uint8 (H, W, 3) BGR; with no entries a sheet of one empty cell that says so.
    """
    columns = min(_MAX_COLUMNS, max(1, math.ceil(math.sqrt(len(entries)))))
    rows = max(1, math.ceil(len(entries) / columns))
    height = rows * (_CELL_PX + _GAP_PX) + _GAP_PX
    width = columns * (_FACE_PX + _GAP_PX) + _GAP_PX
    sheet = np.full((height, width, 3), _PAPER_BGR, np.uint8)
    if not entries:
        write_text(sheet, "no faces", (_GAP_PX, 2 * _GAP_PX), 18, _FAINT_BGR)
    for number, entry in enumerate(entries):
        row, column = divmod(number, columns)
        top = _GAP_PX + row * (_CELL_PX + _GAP_PX)
        left = _GAP_PX + column * (_FACE_PX + _GAP_PX)
        sheet[top : top + _CELL_PX, left : left + _FACE_PX] = _cell(entry)
    return sheet


def write_picture(path: Path, image_bgr: ByteArray) -> None:
    """Write a PNG or JPEG (by the name's ending) whole or not at all; missing folders are made.

    Raises:
        ValueError: the name ends in something else.
        StorageError: writing failed; what stood there before stays.
    """
    if path.suffix.lower() not in {".png", ".jpg", ".jpeg"}:
        raise ValueError(f"a picture's name must end in .png, .jpg or .jpeg, not {path.suffix!r}")
    _, encoded = cv2.imencode(path.suffix, image_bgr)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(encoded.tobytes())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        way_out = "check the free space and the folder's permissions"
        raise StorageError(f"cannot write the picture {path}: {error}; {way_out}") from error


def _cell(entry: SheetEntry) -> ByteArray:
    cell = np.full((_CELL_PX, _FACE_PX, 3), _PAPER_BGR, np.uint8)
    face_bgr = np.ascontiguousarray(entry.crop_rgb[:, :, ::-1])
    cell[:_FACE_PX] = cv2.resize(face_bgr, (_FACE_PX, _FACE_PX), interpolation=cv2.INTER_CUBIC)
    cell[_FACE_PX : _FACE_PX + _BAR_PX] = outcome_colour_bgr(entry.outcome)
    lines = [
        (outcome_words(entry.outcome), 17, _FACE_PX + 21, 600),
        (entry.title, 18, _FACE_PX + _BAR_PX + 24, 600),
        (entry.subtitle, 14, _FACE_PX + _BAR_PX + 46, 400),
    ]
    for text, size, baseline, weight in lines:
        write_text(cell, fit_text(text, size, _FACE_PX - 12), (6, baseline), size, weight=weight)
    return cell
