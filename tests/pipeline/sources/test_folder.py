from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SourceNotFound, SourceUnreadable
from pipeline.sources.folder import FolderSource, natural_key
from tests.contracts.frame_source import FrameSourceContract, Make


def write(path: Path, value: int, size: tuple[int, int] = (20, 30)) -> Path:
    assert cv2.imwrite(str(path), np.full((*size, 3), value, np.uint8))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "visit"
    folder.mkdir()
    for number in (1, 2, 3, 10, 11):
        write(folder / f"frame{number}.png", number * 10)
    return folder


def values(source: FolderSource) -> list[int]:
    return [int(frame.image_bgr[0, 0, 0]) for frame in source.frames()]


class TestContract(FrameSourceContract):
    @pytest.fixture
    def make(self, folder: Path) -> Make:
        return lambda: FolderSource(folder, started_at_ns=10**18)


def test_images_come_as_people_count(folder: Path) -> None:
    source = FolderSource(folder, rate_hz=2)
    assert values(source) == [10, 20, 30, 100, 110]
    assert source.frame_count == 5
    assert source.camera_id == "visit"
    assert [frame.pts_ns for frame in source.frames()] == [n * 500_000_000 for n in range(5)]


def test_what_is_no_image_is_ignored_and_what_cannot_be_read_is_counted(folder: Path) -> None:
    (folder / "notes.txt").write_text("not an image")
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "frame4.png").write_text("text, renamed")
    (folder / "frame5.jpg").write_bytes(b"")
    whole = write(folder / "frame6.jpg", 60).read_bytes()
    (folder / "frame6.jpg").write_bytes(whole[: len(whole) // 2])
    source = FolderSource(folder)
    frames = list(source.frames())
    assert [int(frame.image_bgr[0, 0, 0]) for frame in frames] == [10, 20, 30, 100, 110]
    assert source.dropped_by_cause == {"unreadable": 3}
    assert [frame.pts_ns for frame in frames] == [n * 10**9 for n in (0, 1, 2, 6, 7)]


def test_time_counts_from_the_first_image_that_can_be_read(folder: Path) -> None:
    (folder / "frame0.png").write_bytes(b"broken")
    assert next(FolderSource(folder).frames()).pts_ns == 0


def test_grey_alpha_and_deep_images_become_bgr(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), np.full((20, 30), 50, np.uint8))
    cv2.imwrite(str(tmp_path / "2.png"), np.full((20, 30, 4), 50, np.uint8))
    cv2.imwrite(str(tmp_path / "3.png"), np.full((20, 30, 3), 50 * 257, np.uint16))
    cv2.imwrite(str(tmp_path / "4.png"), np.full((1, 1, 3), 50, np.uint8))
    shapes = [frame.image_bgr.shape for frame in FolderSource(tmp_path).frames()]
    assert shapes == [(20, 30, 3)] * 3 + [(1, 1, 3)]
    assert values(FolderSource(tmp_path)) == [50] * 4


def test_missing_empty_and_wrong_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="nowhere"):
        FolderSource(tmp_path / "nowhere")
    with pytest.raises(SourceUnreadable, match="holds no images"):
        FolderSource(tmp_path)
    with pytest.raises(SourceUnreadable, match="not a folder"):
        FolderSource(write(tmp_path / "a.png", 1))


def test_a_folder_of_broken_images_is_refused_when_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(SourceUnreadable, match="none of the 1 images"):
        list(FolderSource(tmp_path).frames())


def test_a_folder_without_permission(
    folder: Path, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    folder.chmod(0)
    try:
        with unprivileged(), pytest.raises(SourceUnreadable, match=r"visit.*permission"):
            FolderSource(folder)
    finally:
        folder.chmod(0o700)


@given(st.lists(st.integers(0, 10**9), unique=True, min_size=2, max_size=20))
def test_numbers_in_names_sort_as_numbers(numbers: list[int]) -> None:
    names = [Path(f"img_{number}_left.jpg") for number in numbers]
    assert sorted(names, key=natural_key) == [Path(f"img_{number}_left.jpg") for number in sorted(numbers)]


@given(st.lists(st.text(min_size=1, max_size=8), min_size=2, max_size=10))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    paths = [Path("x" + name.replace("/", "").replace("\0", "")) for name in names]
    assert len(sorted(paths, key=natural_key)) == len(paths)
