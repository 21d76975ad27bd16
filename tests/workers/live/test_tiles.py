"""Pictures as they travel: what is packed is what is unpacked, and everything else is refused."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MalformedMessage
from pipeline.types import Face
from workers.live.tiles import WIDTHS, Box, Tile, pack_tile, unpack_tile

shares = st.integers(0, 10_000).map(lambda number: number / 10_000)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x0, x1 = sorted((draw(shares), draw(shares)))
    y0, y1 = sorted((draw(shares), draw(shares)))
    return Box(draw(st.integers(0, 2**31)), x0, y0, x1, y1)


tiles = st.builds(
    Tile,
    camera_id=st.text(min_size=1, max_size=64),
    stream_epoch=st.integers(0, 2**40),
    pts_ns=st.integers(0, 2**62),
    captured_at_ns=st.none() | st.integers(0, 2**62),
    width_px=st.sampled_from(WIDTHS),
    height_px=st.integers(1, 4000),
    jpeg=st.binary(max_size=2000),
    boxes=st.lists(boxes(), max_size=20).map(tuple),
)


def fields(tile: Tile) -> tuple[object, ...]:
    return tuple(getattr(tile, name) for name in Tile.__slots__)


@given(tiles, st.integers(0, 2**62))
def test_what_is_packed_is_unpacked(tile: Tile, now_ns: int) -> None:
    found, said_ns = unpack_tile(pack_tile(tile, now_ns))
    assert fields(found) == fields(tile)
    assert said_ns == now_ns


@given(st.binary(max_size=300))
def test_anything_else_is_refused(message: bytes) -> None:
    with pytest.raises(MalformedMessage, match="no picture of a camera"):
        unpack_tile(message)


def test_a_header_may_not_lie_about_its_length_or_its_content() -> None:
    tile = Tile("gate", 1, 2, 3, 320, 180, b"jpeg", ())
    packed = pack_tile(tile, 4)
    (length,) = struct.unpack_from(">I", packed)
    header = json.loads(packed[4 : 4 + length])
    header["width"] = 333
    text = json.dumps(header).encode()
    for message in (
        packed[: 4 + length - 1],
        struct.pack(">I", 2**31) + packed[4:],
        struct.pack(">I", len(text)) + text,
        struct.pack(">I", 4) + b"null",
    ):
        with pytest.raises(MalformedMessage):
            unpack_tile(message)


def test_a_box_is_cut_at_the_border_of_the_picture() -> None:
    face = Face(np.array([-10, 20, 130, 90], np.float32), np.zeros((5, 2), np.float32), 0.9)
    assert Box.of(7, face, 100, 100) == Box(7, 0.0, 0.2, 1.0, 0.9)
    with pytest.raises(ValueError, match="within its picture"):
        Box(1, 0.5, 0.0, 0.4, 1.0)
