"""`pinwatch identify --json`: one object a photo, in the order of the input, whatever comes in."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.end_to_end.conftest import Run

pytestmark = pytest.mark.assets


@pytest.fixture
def person(assets: Path) -> list[Path]:
    """Photographs of one person."""
    return sorted((assets / "faces" / "lfw-dev" / "Akhmed_Zakayev").iterdir())


@pytest.fixture
def strange(tmp_path: Path, person: list[Path]) -> dict[str, Path]:
    """Photographs as they come: odd sizes, odd kinds, broken."""
    image = cv2.imread(str(person[1]))
    assert image is not None
    folder = tmp_path / "strange"
    folder.mkdir()
    made = {
        "gray.png": cv2.cvtColor(image, cv2.COLOR_BGR2GRAY),
        "alpha.png": cv2.cvtColor(image, cv2.COLOR_BGR2BGRA),
        "tiny.png": np.zeros((1, 1, 3), np.uint8),
        "8k.jpg": cv2.resize(image, (7680, 7680), interpolation=cv2.INTER_CUBIC),
    }
    for name, picture in made.items():
        cv2.imwrite(str(folder / name), picture)
    (folder / "cut.jpg").write_bytes(person[1].read_bytes()[:2000])
    return {path.name: path for path in folder.iterdir()}


def test_photos_in_their_order_with_the_broken_ones_named(
    pinwatch: Run, person: list[Path], strange: dict[str, Path]
) -> None:
    assert pinwatch("gallery", "enroll", "Akhmed Zakayev", person[0]).code == 0
    order = [strange[name] for name in ("gray.png", "tiny.png", "8k.jpg", "cut.jpg", "alpha.png")]
    done = pinwatch("identify", "--json", *order, person[2])
    assert done.code == 1, "two photographs cannot be read"
    assert [line["photo"] for line in done.lines] == [str(path) for path in (*order, person[2])]
    by_name = {Path(line["photo"]).name: line for line in done.lines}
    assert "error" in by_name["tiny.png"]
    assert "error" in by_name["cut.jpg"]
    for name in ("gray.png", "8k.jpg", "alpha.png", person[2].name):
        (face,) = by_name[name]["faces"]
        assert (face["outcome"], face["subject"]) == ("known", "Akhmed Zakayev"), name
        assert face["similarity"] > 0.5
        assert len(face["bbox"]) == 4


def test_a_list_of_photos_on_standard_input(pinwatch: Run, person: list[Path]) -> None:
    done = pinwatch("identify", "--json", "-", stdin="".join(f"{path}\n" for path in person))
    assert done.code == 0, done.err
    assert [line["photo"] for line in done.lines] == [str(path) for path in person]
    assert {line["faces"][0]["outcome"] for line in done.lines} == {"unknown"}
    assert {line["faces"][0]["candidate"] for line in done.lines} == {None}


def test_a_folder_is_all_its_photos(pinwatch: Run, person: list[Path]) -> None:
    done = pinwatch("identify", "--json", person[0].parent)
    assert [Path(line["photo"]).name for line in done.lines] == [path.name for path in person]
