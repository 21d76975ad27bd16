from __future__ import annotations

import time

import pytest

from pipeline.clock import ManualClock, SystemClock


def test_the_system_clock_is_the_machines() -> None:
    clock = SystemClock()
    assert abs(clock.now_ns() - time.time_ns()) < 10**9
    before_s = clock.monotonic_s()
    clock.sleep(0.01)
    assert clock.monotonic_s() - before_s >= 0.01


def test_the_manual_clock_moves_only_when_it_is_moved() -> None:
    clock = ManualClock(start_ns=5)
    assert (clock.now_ns(), clock.monotonic_s()) == (5, 0)
    clock.advance(1.5)
    assert (clock.now_ns(), clock.monotonic_s()) == (1_500_000_005, 1.5)
    clock.sleep(0.5)
    assert clock.slept_s == [0.5]
    assert clock.monotonic_s() == 2.0


def test_setting_the_wall_clock_leaves_monotonic_time_alone() -> None:
    clock = ManualClock(start_ns=10**18)
    clock.set_wall_ns(5)
    assert (clock.now_ns(), clock.monotonic_s()) == (5, 0)


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="go back"):
        ManualClock().advance(-1)
