"""Hours by the clock on the wall: over midnight, over weekends, and where clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from workers.alerts.schedule import DAY_MIN, Schedule, Window, parse_schedule

BERLIN = ZoneInfo("Europe/Berlin")


def holds(text: str, *when: int, zone: ZoneInfo = BERLIN, fold: int = 0) -> bool:
    moment = datetime(*when, tzinfo=zone, fold=fold)  # type: ignore[arg-type, misc]
    return parse_schedule(text).holds(moment, moment, zone)


def test_no_window_is_always() -> None:
    assert holds("", 2025, 1, 31, 3, 0)


@pytest.mark.parametrize(
    ("hour", "day", "inside"),
    [(21, 31, False), (22, 31, True), (23, 31, True), (5, 31, False)],
)
def test_a_night_begins_on_its_day(hour: int, day: int, inside: bool) -> None:
    """The 31st of January 2025 is a Friday."""
    assert holds("Fri 22:00-06:00", 2025, 1, day, hour, 0) == inside


def test_a_night_goes_on_into_the_next_day_and_ends_there() -> None:
    assert holds("Fri 22:00-06:00", 2025, 2, 1, 5, 59)
    assert not holds("Fri 22:00-06:00", 2025, 2, 1, 6, 0)
    assert not holds("Fri 22:00-06:00", 2025, 2, 1, 22, 0)


def test_the_night_of_sunday_is_the_morning_of_monday() -> None:
    assert holds("Sun 23:00-01:00", 2025, 2, 3, 0, 30)
    assert not holds("Sun 23:00-01:00", 2025, 2, 2, 0, 30)


def test_the_zone_decides_not_the_time_of_the_camera() -> None:
    moment = datetime(2025, 7, 1, 21, 30, tzinfo=UTC)  # 23:30 in Berlin
    night = parse_schedule("22:00-06:00")
    assert night.holds(moment, moment, BERLIN)
    assert not night.holds(moment, moment, UTC)


def test_the_hour_that_comes_twice_is_in_twice() -> None:
    for fold in (0, 1):
        assert holds("Sun 02:00-03:00", 2025, 10, 26, 2, 30, fold=fold)
    whole = parse_schedule("Sun 02:00-03:00")
    start = datetime(2025, 10, 26, 0, 0, tzinfo=UTC)  # 02:00 in summer time
    moments = [start + timedelta(minutes=minute) for minute in range(180)]
    inside = [minute for minute, moment in enumerate(moments) if whole.holds(moment, moment, BERLIN)]
    assert inside == list(range(120))


def test_a_window_in_the_hour_that_is_left_out_begins_after_it() -> None:
    window = parse_schedule("Sun 02:30-04:00")
    before = datetime(2025, 3, 30, 0, 59, tzinfo=UTC)  # 01:59; a minute later it is 03:00
    assert not window.holds(before, before, BERLIN)
    after = before + timedelta(minutes=1)
    assert window.holds(after, after, BERLIN)


def test_a_visit_that_reaches_into_a_window_counts() -> None:
    window, first = parse_schedule("12:00-13:00"), datetime(2025, 1, 31, 11, 58, tzinfo=UTC)
    assert not window.holds(first, first + timedelta(seconds=119), UTC)
    assert window.holds(first, first + timedelta(seconds=120), UTC)


def test_what_is_typed_comes_back() -> None:
    text = "Mon-Fri 22:00-06:00\nSat,Sun 00:00-24:00"
    assert parse_schedule(text).text() == "Mon-Fri 22:00-06:00\nSat-Sun 00:00-24:00"
    assert parse_schedule("fri-mon 9:05-17:00").text() == "Mon,Fri-Sun 09:05-17:00"
    assert parse_schedule("08:00-09:00; daily 10:00-11:00").text() == "daily 08:00-09:00\ndaily 10:00-11:00"


@pytest.mark.parametrize(
    "text",
    [
        "Mon",
        "22:00",
        "Foo 22:00-23:00",
        "25:00-26:00",
        "22:00-24:30",
        "Mon- 1:00-2:00",
        "M 1:00-2:00",
        "22-06",
    ],
)
def test_what_is_no_window_is_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match="is no window of a schedule"):
        parse_schedule(text)


windows = st.builds(
    Window,
    st.lists(st.integers(0, 6), min_size=1, max_size=7, unique=True).map(lambda days: tuple(sorted(days))),
    st.integers(0, DAY_MIN - 1),
    st.integers(0, DAY_MIN),
)


@given(st.lists(windows, max_size=4).map(tuple))
def test_every_schedule_survives_being_typed(chosen: tuple[Window, ...]) -> None:
    assert parse_schedule(Schedule(chosen).text()) == Schedule(chosen)


@given(windows, st.integers(0, 7 * DAY_MIN - 1))
def test_a_window_holds_for_as_long_as_it_says(window: Window, minute: int) -> None:
    local = datetime(2025, 1, 6, tzinfo=UTC) + timedelta(minutes=minute)  # a Monday
    length = (window.end_min - window.start_min) % DAY_MIN or DAY_MIN
    begins = [day * DAY_MIN + window.start_min for day in window.days]
    assert window.holds(local) == any((minute - begin) % (7 * DAY_MIN) < length for begin in begins)
