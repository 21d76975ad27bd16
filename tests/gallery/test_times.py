"""Times as text: one width, one zone, and text order is time order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.times import parse_time, utc_text, utc_text_from_ns
from pipeline.errors import UsageError

zones = st.integers(-12, 12).map(lambda hours: timezone(timedelta(hours=hours)))
moments = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=zones)  # noqa: DTZ001


@given(moments, moments)
def test_text_order_is_time_order(one: datetime, other: datetime) -> None:
    assert (utc_text(one) < utc_text(other)) == (one < other)
    assert parse_time(utc_text(one)) == one


def test_nanoseconds_are_rounded_down() -> None:
    assert utc_text_from_ns(1_700_000_000_123_456_999) == "2023-11-14T22:13:20.123456Z"


def test_a_date_alone_is_its_first_moment() -> None:
    assert parse_time("2025-12-31") == datetime(2025, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize("text", ["soon", "2025-13-01", "2025-12-31T08:00", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="time"):
        parse_time(text)
