"""Contact sheets: everybody is on it, upright, in the right colours."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import StorageError
from pipeline.types import Outcome
from workers.lettering import outcome_colour_bgr
from workers.sheet import SheetEntry, contact_sheet, write_picture

FullDisk = Callable[[int], contextlib.AbstractContextManager[None]]
RED_RGB = (220, 30, 40)


def entry(title: str = "Grace Hopper", outcome: Outcome = Outcome.KNOWN) -> SheetEntry:
    return SheetEntry(np.full((112, 112, 3), RED_RGB, np.uint8), title, "3.2 s to 7.8 s", outcome)


def cells(sheet: np.ndarray, colour_bgr: tuple[int, ...]) -> int:
    """How many separate areas of a colour a sheet has."""
    mask = (sheet == np.array(colour_bgr, np.uint8)).all(axis=2).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    return int((stats[1:, cv2.CC_STAT_AREA] > 2000).sum())


@pytest.mark.parametrize("count", [1, 2, 5, 9, 70])
def test_every_entry_has_its_face_and_its_outcome(count: int) -> None:
    sheet = contact_sheet([entry()] * count)
    assert sheet.dtype == np.uint8
    assert cells(sheet, RED_RGB[::-1]) == count
    assert cells(sheet, outcome_colour_bgr(Outcome.KNOWN)) == count


def test_entries_stand_in_reading_order() -> None:
    order = [Outcome.KNOWN, Outcome.UNKNOWN, Outcome.AMBIGUOUS]
    sheet = contact_sheet([entry(outcome=outcome) for outcome in order])
    spots = []
    for outcome in order:
        rows, columns = np.nonzero((sheet == np.array(outcome_colour_bgr(outcome), np.uint8)).all(axis=2))
        spots.append((int(np.median(rows)) // 100, int(np.median(columns))))
    assert spots == sorted(spots)


def test_captions_differ_with_what_they_say() -> None:
    assert not np.array_equal(contact_sheet([entry("Zoë")]), contact_sheet([entry("Zoé")]))


def test_an_empty_sheet_says_so() -> None:
    sheet = contact_sheet([])
    assert sheet.min() < 128


def test_a_crop_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="crop_rgb"):
        SheetEntry(np.zeros((100, 112, 3), np.uint8), "", "", Outcome.UNKNOWN)


def test_a_png_holds_the_same_pixels(tmp_path: Path) -> None:
    sheet = contact_sheet([entry()])
    write_picture(tmp_path / "made" / "sheet.png", sheet)
    read = cv2.imread(str(tmp_path / "made" / "sheet.png"))
    assert read is not None
    assert np.array_equal(read, sheet)


def test_a_jpeg_is_one(tmp_path: Path) -> None:
    write_picture(tmp_path / "sheet.JPG", contact_sheet([entry()]))
    assert (tmp_path / "sheet.JPG").read_bytes()[:3] == b"\xff\xd8\xff"


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.webp"):
        write_picture(tmp_path / "sheet.webp", contact_sheet([]))


def test_a_full_disk_is_said_and_the_picture_before_stays(tmp_path: Path, full_disk: FullDisk) -> None:
    path = tmp_path / "sheet.png"
    write_picture(path, contact_sheet([]))
    before = path.read_bytes()
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    with full_disk(10_000), pytest.raises(StorageError, match=r"sheet\.png.*free space"):
        write_picture(path, noise)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["sheet.png"]
