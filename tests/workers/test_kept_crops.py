"""Crops are found once, whatever stopped the run that found them; changed photographs are looked at again."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import StorageError
from pipeline.types import ByteArray, Face
from workers import kept_crops as module
from workers.kept_crops import Found, kept_crops

NONE = "no face was found"


class Blind:
    """A detector that is not asked."""

    def __init__(self, detector_id: str = "blind@1") -> None:
        self.detector_id = detector_id

    def detect(self, images_bgr: object) -> list[list[Face]]:
        raise AssertionError("crops are made by a stand-in here")


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.jpg" for number in range(7)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]))
    return paths


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Pieces of three photographs; every third has no face. The photographs that were looked at."""
    looked: list[Path] = []

    def crop_of(path: Path, detector: object) -> ByteArray | str:
        looked.append(path)
        number = path.read_bytes()[0]
        return NONE if number % 3 == 2 else np.full((112, 112, 3), number, np.uint8)

    monkeypatch.setattr(module, "PIECE", 3)
    monkeypatch.setattr(module, "crop_of", crop_of)
    return looked


def shown(found: list[Found]) -> list[str | int]:
    return [crop if isinstance(crop, str) else int(crop[0, 0, 0]) for crop in found]


def test_a_stopped_run_goes_on(photos: list[Path], looked_at: list[Path], tmp_path: Path) -> None:
    list(itertools.islice(kept_crops(photos, Blind(), tmp_path / "kept"), 5))
    assert looked_at == photos[:5]
    looked_at.clear()
    found = list(kept_crops(photos, Blind(), tmp_path / "kept"))
    assert looked_at == photos[3:], "a piece is looked at again, no more"
    assert shown(found) == [0, 1, NONE, 3, 4, NONE, 6]
    looked_at.clear()
    assert shown(list(kept_crops(photos, Blind(), tmp_path / "kept"))) == shown(found)
    assert not looked_at


def test_what_crops_depend_on_is_noticed(photos: list[Path], looked_at: list[Path], tmp_path: Path) -> None:
    list(kept_crops(photos, Blind(), tmp_path / "kept"))
    looked_at.clear()
    photos[4].write_bytes(bytes([9, 9]))
    assert shown(list(kept_crops(photos, Blind(), tmp_path / "kept")))[4] == 9
    assert looked_at == photos[3:6]
    for detector, settings in ((Blind("other@2"), None), (Blind(), "size 900")):
        looked_at.clear()
        list(kept_crops(photos, detector, tmp_path / "kept", settings))
        assert looked_at == photos


def test_a_damaged_file_is_made_again(photos: list[Path], looked_at: list[Path], tmp_path: Path) -> None:
    list(kept_crops(photos[:3], Blind(), tmp_path / "kept"))
    (file,) = (tmp_path / "kept").iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    assert shown(list(kept_crops(photos[:3], Blind(), tmp_path / "kept"))) == [0, 1, NONE]


def test_a_full_disk_is_named(
    photos: list[Path],
    looked_at: list[Path],
    tmp_path: Path,
    full_disk: Callable[[int], contextlib.AbstractContextManager[None]],
) -> None:
    with full_disk(10_000), pytest.raises(StorageError, match="kept"):
        list(kept_crops(photos, Blind(), tmp_path / "kept"))
