from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.detect.letterbox import GRID_PX, Letterbox, check_size

sides = st.integers(1, 9000)
sizes = st.integers(1, 60).map(lambda n: n * GRID_PX)


@given(sides, sides, sizes)
def test_the_input_is_on_the_grid_and_as_small_as_asked(height: int, width: int, size_px: int) -> None:
    box = Letterbox.plan(height, width, size_px)
    for side, picture in zip(box.input_px, box.picture_px, strict=True):
        assert side % GRID_PX == 0
        assert 1 <= picture <= side
    assert max(box.input_px) <= -(-max(size_px, min(max(height, width), size_px)) // GRID_PX) * GRID_PX


@given(sides, sides, sizes)
def test_shapes_are_kept_within_the_stretch_that_is_allowed(height: int, width: int, size_px: int) -> None:
    box = Letterbox.plan(height, width, size_px)
    scale = min(1.0, size_px / max(height, width))
    for source, picture in zip((height, width), box.picture_px, strict=True):
        wanted = max(1.0, source * scale)
        assert abs(picture - wanted) <= max(0.5, 0.05 * wanted) + 1e-9


@given(sides, sides, sizes)
def test_corners_come_back_to_the_corners(height: int, width: int, size_px: int) -> None:
    box = Letterbox.plan(height, width, size_px)
    corner = np.array([[box.picture_px[1], box.picture_px[0]]], np.float32)
    np.testing.assert_allclose(box.restore(corner), [[width, height]], rtol=1e-5)


@pytest.mark.parametrize(
    ("source", "size_px", "picture", "whole"),
    [
        ((1080, 1920), 640, (352, 640), (352, 640)),  # stretched by 2 %: no padding
        ((480, 640), 640, (480, 640), (480, 640)),
        ((250, 250), 640, (256, 256), (256, 256)),
        ((300, 640), 640, (288, 640), (288, 640)),
        ((45, 640), 640, (45, 640), (64, 640)),  # too far from 32 and 64: padded
        ((1, 1), 640, (1, 1), (32, 32)),
    ],
)
def test_known_fits(
    source: tuple[int, int], size_px: int, picture: tuple[int, int], whole: tuple[int, int]
) -> None:
    assert Letterbox.plan(*source, size_px) == Letterbox(source, picture, whole)


def test_padding_is_black_and_the_picture_is_upper_left() -> None:
    box = Letterbox.plan(45, 640, 640)
    out = box.apply(np.full((45, 640, 3), 200, np.uint8))
    assert (out[:45] == 200).all()
    assert not out[45:].any()


@pytest.mark.parametrize("shape", [(2160, 3840), (1081, 1921), (719, 1283)])
def test_fine_texture_averages_out(shape: tuple[int, int]) -> None:
    checker = ((np.indices(shape).sum(axis=0) % 2) * 255).astype(np.uint8)
    box = Letterbox.plan(*shape, 320)
    out = box.apply(np.repeat(checker[..., None], 3, axis=2))[: box.picture_px[0], : box.picture_px[1]]
    assert out.std() < 20
    assert abs(float(out.mean()) - 127.5) < 3


@pytest.mark.parametrize("size_px", [0, -32, 31, 33, 650])
def test_sizes_off_the_grid_are_refused(size_px: int) -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        check_size(size_px)
