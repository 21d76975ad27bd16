"""The index, whole and torn."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.recording.index import (
    RECORD_BYTES,
    FrameRecord,
    IndexHeader,
    PacketRecord,
    encode_header,
    encode_record,
    read_index,
)
from pipeline.errors import StorageError

HEADER = IndexHeader("../gate é", 7, 12, "ab", "h264", (1, 90_000), 25.0, (161, 97))
TICKS = st.integers(-(1 << 62), 1 << 62)
NUMBERS = st.integers(0, (1 << 32) - 1)
PACKETS = st.builds(PacketRecord, NUMBERS, st.none() | TICKS, st.none() | TICKS, NUMBERS, st.booleans())
FRAMES = st.builds(FrameRecord, NUMBERS, st.integers(0, 1 << 62), st.none() | TICKS)
RECORDS = st.lists(PACKETS | FRAMES, max_size=8)


def written(path: Path, records: list[PacketRecord | FrameRecord]) -> bytes:
    data = encode_header(HEADER) + b"".join(encode_record(record) for record in records)
    path.write_bytes(data)
    return data


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("index") / "1.index"


@given(RECORDS)
def test_what_was_written_is_read(path: Path, records: list[PacketRecord | FrameRecord]) -> None:
    data = written(path, records)
    index = read_index(path)
    assert index.header == HEADER
    assert list(index.packets) == [record for record in records if isinstance(record, PacketRecord)]
    assert list(index.frames) == [record for record in records if isinstance(record, FrameRecord)]
    assert index.whole_bytes == len(data)


@given(RECORDS, st.data())
def test_a_torn_end_costs_the_record_that_is_torn(
    path: Path, records: list[PacketRecord | FrameRecord], data: st.DataObject
) -> None:
    whole = written(path, records)
    start = len(encode_header(HEADER))
    cut = data.draw(st.integers(start, len(whole)))
    path.write_bytes(whole[:cut])
    index = read_index(path)
    assert index.whole_bytes == start + (cut - start) // RECORD_BYTES * RECORD_BYTES
    assert len(index.packets) + len(index.frames) == (cut - start) // RECORD_BYTES


@given(RECORDS, st.integers(0, 255), st.data())
def test_nothing_after_a_damaged_record_is_believed(
    path: Path, records: list[PacketRecord | FrameRecord], value: int, data: st.DataObject
) -> None:
    whole = bytearray(written(path, records))
    start = len(encode_header(HEADER))
    at = data.draw(st.integers(start, max(start, len(whole) - 1)))
    if at == len(whole) or whole[at] == value:
        return
    whole[at] = value
    path.write_bytes(whole)
    assert read_index(path).whole_bytes == start + (at - start) // RECORD_BYTES * RECORD_BYTES


def test_zeros_as_a_power_cut_leaves_them_are_no_records(path: Path) -> None:
    whole = written(path, [FrameRecord(1, 2, None)])
    path.write_bytes(whole + bytes(4 * RECORD_BYTES))
    assert read_index(path).whole_bytes == len(whole)


@pytest.mark.parametrize("keep", [0, 10, 30])
def test_without_its_beginning_it_is_no_index(path: Path, keep: int) -> None:
    path.write_bytes(encode_header(HEADER)[:keep])
    with pytest.raises(StorageError, match=r"1\.index"):
        read_index(path)


def test_the_names_of_the_first_packets(path: Path) -> None:
    packets = [PacketRecord(ordinal, None, None, 1, True) for ordinal in (5, 6, 7)]
    frames = [FrameRecord(ordinal, ordinal, None) for ordinal in (5, 7, 6)]
    written(path, [*packets, *frames])
    assert [frame.ordinal for frame in read_index(path).names_within(2)] == [5, 6]
