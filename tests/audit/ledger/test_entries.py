"""What a record says."""

from __future__ import annotations

import pytest

from audit.ledger.entries import Entry, Kind, decode_entry, encode_entry
from audit.ledger.frames import Frame
from pipeline.errors import LedgerCorrupt


def frame(body: bytes) -> Frame:
    return Frame(7, 0, body, bytes(32))


def test_an_entry_comes_back() -> None:
    entry = Entry(
        Kind.CROPS, 1_700_000_000_000_000_000, {"digests": [[1, b"\0\xff"]], "scope": "Tür", "x": 0.5}
    )
    assert decode_entry(frame(encode_entry(entry))) == entry


def test_equal_entries_are_equal_bytes() -> None:
    one = Entry(Kind.DROPS, 5, {"a": 1, "b": {"c": 2, "d": 3}})
    other = Entry("drops", 5, {"b": {"d": 3, "c": 2}, "a": 1})
    assert encode_entry(one) == encode_entry(other)


def test_the_bytes_are_those_that_ledgers_are_full_of() -> None:
    body = encode_entry(Entry(Kind.CLOSED, 5, {}))
    assert body == b"\x83\xa4kind\xa6closed\xa5at_ns\x05\xa6fields\x80"


def test_a_kind_and_a_field_of_a_newer_program_can_be_read() -> None:
    body = encode_entry(Entry("weather", 5, {"rain": True}))
    assert decode_entry(frame(body)).kind == "weather"


@pytest.mark.parametrize("body", [b"\xc1", b"\x80", b"text", encode_entry(Entry("k", 1, {})) + b"\0"])
def test_what_is_no_entry_is_named_by_its_number(body: bytes) -> None:
    with pytest.raises(LedgerCorrupt, match="record 7 cannot be read"):
        decode_entry(frame(body))
