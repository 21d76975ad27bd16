"""Frames, each hashed onto the one before."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.ledger.frames import (
    MAX_BODY_BYTES,
    BrokenChain,
    Frame,
    Place,
    beginning,
    encode_frame,
    first_hash,
    read_frames,
)

BODIES = [b"one", b"two" * 400_000, b"\0", b"four"]
"""The second is longer than what is read at a time."""


def written(bodies: list[bytes], name: str = "x") -> bytes:
    data, before = b"", first_hash(name)
    for body in bodies:
        frame, before = encode_frame(before, body)
        data += frame
    return data


def read(path: Path, data: bytes, since: Place | None = None) -> tuple[list[Frame], BrokenChain | None]:
    path.write_bytes(data)
    frames = []
    try:
        for frame in read_frames(path, since or beginning("x")):
            frames.append(frame)  # noqa: PERF402 - those before a bad one are wanted
    except BrokenChain as broken:
        return frames, broken
    return frames, None


def test_a_frame_is_its_length_its_body_and_a_hash_of_everything_before() -> None:
    before = hashlib.sha256(b"pinwatch chain 1\0x").digest()
    digest = hashlib.sha256(before + b"one").digest()
    assert encode_frame(first_hash("x"), b"one") == (b"\3\0\0\0one" + digest, digest)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    frames, broken = read(tmp_path / "x.chain", written(BODIES))
    assert broken is None
    assert [frame.body for frame in frames] == BODIES
    assert [frame.number for frame in frames] == [0, 1, 2, 3]
    assert [frame.offset for frame in frames] == [0, 39, 39 + 1_200_036, 39 + 1_200_036 + 37]


def test_reading_begins_where_one_knows_that_all_is_right(tmp_path: Path) -> None:
    data = written(BODIES)
    frames, _ = read(tmp_path / "x.chain", data)
    for number, frame in enumerate(frames):
        assert read(tmp_path / "x.chain", data, frame.end) == (frames[number + 1 :], None)


def test_an_empty_file_has_no_frames(tmp_path: Path) -> None:
    assert read(tmp_path / "x.chain", b"") == ([], None)


def test_a_chain_of_another_name_is_another_chain(tmp_path: Path) -> None:
    _, broken = read(tmp_path / "x.chain", written(BODIES, "y"))
    assert broken is not None
    assert (broken.number, broken.offset, broken.torn) == (0, 0, False)


def test_a_file_cut_off_anywhere_is_torn_or_ends_between_two_frames(tmp_path: Path) -> None:
    bodies = [b"one", b"second", b"3"]
    data = written(bodies)
    ends = [0, 39, 39 + 42]
    for size in range(len(data)):
        frames, broken = read(tmp_path / "x.chain", data[:size])
        whole = sum(end <= size for end in ends) - 1
        assert [frame.body for frame in frames] == bodies[:whole]
        if size in ends:
            assert broken is None
        else:
            assert broken is not None
            assert (broken.number, broken.offset, broken.torn) == (whole, ends[whole], True)


@pytest.mark.parametrize("zeros", [1, 4, 5, 40, 3_000_000])
def test_zeros_to_the_end_are_what_a_power_cut_leaves(tmp_path: Path, zeros: int) -> None:
    _, broken = read(tmp_path / "x.chain", written([b"one"]) + bytes(zeros))
    assert broken is not None
    assert (broken.number, broken.torn) == (1, True)


def test_zeros_before_something_else_are_not(tmp_path: Path) -> None:
    _, broken = read(tmp_path / "x.chain", written([b"one"]) + bytes(2_000_000) + b"x")
    assert broken is not None
    assert (broken.number, broken.torn) == (1, False)


def test_a_length_that_nobody_writes_is_not_believed(tmp_path: Path) -> None:
    _, broken = read(tmp_path / "x.chain", b"\xff\xff\xff\xff" + written([b"one"]))
    assert broken is not None
    assert not broken.torn
    assert "4294967295 bytes" in str(broken)


@pytest.mark.parametrize("size", [0, MAX_BODY_BYTES + 1])
def test_bodies_that_could_not_be_read_are_not_written(size: int) -> None:
    with pytest.raises(ValueError, match=f"a record of {size} bytes"):
        encode_frame(first_hash("x"), bytes(size))


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=6), st.data())
def test_no_changed_byte_goes_unseen(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes], draw: st.DataObject
) -> None:
    data = written(bodies)
    at = draw.draw(st.integers(0, len(data) - 1))
    flipped = draw.draw(st.integers(1, 255))
    path = tmp_path_factory.getbasetemp() / "changed.chain"
    frames, broken = read(path, data[:at] + bytes([data[at] ^ flipped]) + data[at + 1 :])
    assert broken is not None
    assert broken.number == len(frames)
    assert len(frames) == sum(len(written(bodies[: number + 1])) <= at for number in range(len(bodies)))
