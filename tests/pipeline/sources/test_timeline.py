from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.timeline import NS, CaptureTimes, RateLimit, Timeline, to_ns

PERIOD_NS = NS // 25


def test_ticks_are_converted_exactly() -> None:
    assert to_ns(90_000, Fraction(1, 90_000)) == NS
    assert to_ns(1, Fraction(1, 3)) == 333_333_333
    assert to_ns(10**15, Fraction(1001, 30_000)) == 10**15 * 1001 * NS // 30_000


class TestTimeline:
    def test_counts_from_the_first_stamp(self) -> None:
        timeline = Timeline(25)
        assert [timeline.stamp(raw) for raw in (500, 540, 700)] == [0, 40, 200]

    def test_a_missing_stamp_continues_at_the_rate(self) -> None:
        timeline = Timeline(25)
        assert [timeline.stamp(raw) for raw in (0, None, 2 * PERIOD_NS)] == [0, PERIOD_NS, 2 * PERIOD_NS]

    def test_stamps_that_begin_late_continue_what_was_there(self) -> None:
        timeline = Timeline(25)
        stamps = [timeline.stamp(raw) for raw in (None, 10**15, 10**15 + 7)]
        assert stamps == [0, PERIOD_NS, PERIOD_NS + 7]

    def test_a_second_part_that_starts_over_comes_behind_the_first(self) -> None:
        timeline = Timeline(25)
        raw = [0, PERIOD_NS, 2 * PERIOD_NS, 0, PERIOD_NS, 5 * PERIOD_NS]
        assert [timeline.stamp(each) // PERIOD_NS for each in raw] == [0, 1, 2, 3, 4, 8]

    @given(st.lists(st.none() | st.integers(-(10**18), 10**18), min_size=1), st.floats(0.01, 1e4))
    def test_always_starts_at_zero_and_grows(self, raw: list[int | None], rate_hz: float) -> None:
        timeline = Timeline(rate_hz)
        stamps = [timeline.stamp(each) for each in raw]
        assert stamps[0] == 0
        assert all(earlier < later for earlier, later in itertools.pairwise(stamps))


class TestCaptureTimes:
    @given(
        delays_ms=st.lists(st.integers(0, 300), min_size=30, max_size=200),
        base_ns=st.integers(10**9, 2 * 10**18),
    )
    def test_after_the_least_delayed_picture_all_are_placed_by_it(
        self, delays_ms: list[int], base_ns: int
    ) -> None:
        times, least = CaptureTimes(), min(delays_ms)
        first = delays_ms.index(least)
        for number, delay_ms in enumerate(delays_ms):
            pts_ns = number * PERIOD_NS
            arrived_ns = base_ns + pts_ns + delay_ms * 1_000_000
            placed_ns = times.place(pts_ns, arrived_ns)
            assert placed_ns <= arrived_ns
            if number >= first:
                assert placed_ns == base_ns + pts_ns + least * 1_000_000

    def test_a_clock_that_drifts_is_followed(self) -> None:
        times = CaptureTimes(window_s=10)
        for number in range(25 * 600):
            pts_ns = number * PERIOD_NS
            arrived_ns = NS + round(pts_ns * 1.0005)  # half a millisecond a second
            assert arrived_ns - times.place(pts_ns, arrived_ns) <= 10 * 0.0005 * NS

    def test_stamps_that_are_nonsense_cannot_place_a_picture_long_ago(self) -> None:
        times = CaptureTimes(limit_s=2)
        placed = [times.place(number * NS // 100, number * NS) for number in range(100)]
        assert all(number * NS - placed[number] <= 2 * NS for number in range(100))

    def test_a_wall_clock_that_is_set_back_or_forward_is_followed(self) -> None:
        for jump_s in (-3600, 3600):
            times, errors = CaptureTimes(window_s=4), []
            for number in range(25 * 20):
                arrived_ns = 10**18 + number * PERIOD_NS + (jump_s * NS if number > 100 else 0)
                errors.append(arrived_ns - times.place(number * PERIOD_NS, arrived_ns))
            assert max(errors) <= 2 * NS
            assert errors[-1] == 0


class TestRateLimit:
    def test_no_limit_lets_all_through(self) -> None:
        limit = RateLimit(None)
        assert all(limit.admits(n) for n in range(10))

    @pytest.mark.parametrize(("rate_hz", "of"), [(5, 25), (10, 25), (12.5, 25), (24, 25), (25, 25), (30, 25)])
    def test_the_rate_is_kept_on_average_and_the_first_frame_passes(self, rate_hz: float, of: int) -> None:
        limit = RateLimit(rate_hz)
        taken = [number for number in range(of * 20) if limit.admits(number * NS // of)]
        assert taken[0] == 0
        assert len(taken) == pytest.approx(min(rate_hz, of) * 20, rel=0.02)

    def test_after_a_gap_there_is_no_burst(self) -> None:
        limit = RateLimit(5)
        times_ns = [0, *(10 * NS + number * PERIOD_NS for number in range(25))]
        assert sum(limit.admits(time_ns) for time_ns in times_ns) <= 7

    def test_must_be_positive(self) -> None:
        with pytest.raises(ValueError, match="positive"):
            RateLimit(0)
