from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.channel import DropCounter
from pipeline.sources.connection import Shot
from pipeline.sources.pairing import Pair, Pairer, gap_ns
from pipeline.sources.picture import ArrayPicture
from pipeline.sources.timeline import NS

MS = 1_000_000
PICTURE = ArrayPicture(np.zeros((1, 1, 3), np.uint8))


def shot(captured_ms: float, camera_ms: float | None = None) -> Shot:
    camera_ns = None if camera_ms is None else round(camera_ms * MS)
    return Shot(round(captured_ms * MS), round(captured_ms * MS), camera_ns, PICTURE)


def play(pairer: Pairer, events: Sequence[tuple[float, str, Shot]]) -> list[Pair]:
    """Feed (arrival, stream, shot) in the order of arrival."""
    pairs: list[Pair] = []
    for _, stream, each in sorted(events, key=lambda event: event[0]):
        pairs += pairer.add_main(each) if stream == "main" else pairer.add_sub(each)
    return pairs


def at_ms(pairs: list[Pair]) -> list[tuple[int, int | None]]:
    return [
        (pair.main.captured_at_ns // MS, None if pair.sub is None else pair.sub.captured_at_ns // MS)
        for pair in pairs
    ]


@pytest.fixture
def drops() -> DropCounter:
    return DropCounter()


@pytest.fixture
def pairer(drops: DropCounter) -> Pairer:
    return Pairer(tolerance_s=0.1, fallback_s=2.0, drops=drops)


class TestGap:
    def test_the_cameras_own_clock_decides_where_both_tell_it(self) -> None:
        assert gap_ns(shot(1000, 5000), shot(1030, 5000)) == 0

    def test_arrival_decides_where_one_does_not_or_where_they_contradict_each_other(self) -> None:
        assert gap_ns(shot(1000, 5000), shot(1030)) == -30 * MS
        assert gap_ns(shot(1000, 5000), shot(1030, 90_000)) == -30 * MS


class TestPairing:
    @given(
        main_ms=st.sampled_from([20, 40, 50, 66.7]),
        every=st.integers(1, 6),
        delay_ms=st.floats(-150, 150),
        jitter_ms=st.floats(0, 40),
        seed=st.integers(0, 999),
    )
    def test_with_the_cameras_clock_every_pair_is_of_one_moment(
        self, main_ms: float, every: int, delay_ms: float, jitter_ms: float, seed: int
    ) -> None:
        rng = np.random.default_rng(seed)
        moments = np.arange(100) * main_ms
        # A stream's pictures never overtake each other.
        main_at = np.maximum.accumulate(moments + rng.uniform(0, jitter_ms, 100))
        sub_at = np.maximum.accumulate(moments + delay_ms + rng.uniform(0, jitter_ms, 100))
        events = [(at, "main", shot(at, each)) for at, each in zip(main_at, moments, strict=True)]
        events += [(sub_at[n], "sub", shot(sub_at[n], moments[n])) for n in range(0, 100, every)]
        drops = DropCounter()
        pairs = play(Pairer(0.1, 2.0, drops), events)
        assert all(pair.sub and pair.sub.camera_at_ns == pair.main.camera_at_ns for pair in pairs)
        assert len(pairs) >= 100 // every - 12, "all but those that still wait at the end"
        assert drops.as_dict() == {}

    def test_main_pictures_in_between_are_passed_over(self, pairer: Pairer, drops: DropCounter) -> None:
        events = [(t, "main", shot(t)) for t in range(0, 400, 40)]
        events += [(t + 5, "sub", shot(t)) for t in range(0, 400, 80)]
        assert at_ms(play(pairer, events)) == [(t, t) for t in range(0, 400, 80)]
        assert drops.as_dict() == {}

    def test_a_pair_is_not_shifted_for_good_when_the_first_main_picture_is_missing(
        self, pairer: Pairer, drops: DropCounter
    ) -> None:
        events = [(t, "main", shot(t)) for t in range(40, 400, 40)]
        events += [(t + 5, "sub", shot(t)) for t in range(0, 400, 40)]
        pairs = at_ms(play(pairer, events))
        assert pairs[0] == (40, 0), "nearest there is, within the tolerance"
        assert pairs[1:] == [(t, t) for t in range(80, 400, 40)]
        assert drops.as_dict() == {"unpaired": 1}

    def test_a_faster_substream_is_thinned_out(self, pairer: Pairer, drops: DropCounter) -> None:
        events = [(t, "main", shot(t)) for t in range(0, 800, 80)]
        events += [(t + 5, "sub", shot(t)) for t in range(0, 720, 20)]
        pairs = play(pairer, events)
        assert len({pair.main for pair in pairs}) == len(pairs)
        assert all(abs(gap_ns(pair.main, pair.sub)) <= 40 * MS for pair in pairs if pair.sub)
        assert drops.as_dict()["unpaired"] > 10

    def test_too_far_apart_is_not_paired(self, pairer: Pairer, drops: DropCounter) -> None:
        events = [(t, "main", shot(t)) for t in range(0, 1500, 500)]
        events += [(t, "sub", shot(t)) for t in range(250, 1250, 500)]
        assert play(pairer, events) == []
        assert drops.as_dict() == {"unpaired": 2}


class TestFallback:
    def test_a_substream_that_never_comes(self, pairer: Pairer) -> None:
        pairs = at_ms([pair for t in range(0, 4000, 40) for pair in pairer.add_main(shot(t))])
        assert pairer.alone
        assert all(sub is None for _, sub in pairs)
        assert pairs[-1] == (3960, None)
        assert [t for t, _ in pairs if t > 2040] == list(range(2080, 4000, 40))

    def test_a_lost_substream_is_not_waited_for(self, pairer: Pairer) -> None:
        play(pairer, [(0, "main", shot(0)), (1, "sub", shot(0))])
        assert at_ms(pairer.add_main(shot(40))) == []
        pairer.sub_lost()
        assert at_ms(pairer.add_main(shot(80))) == [(40, None), (80, None)]

    def test_one_that_comes_back_is_paired_again(self, pairer: Pairer) -> None:
        pairer.add_main(shot(0))
        pairer.sub_lost()
        pairer.add_main(shot(40))
        events = [(t, "main", shot(t)) for t in range(80, 400, 40)]
        events += [(t + 5, "sub", shot(t)) for t in range(200, 400, 40)]
        pairs = at_ms(play(pairer, events))
        assert pairs == [
            (80, None), (120, None), (160, None), (200, None),
            (240, 240), (280, 280), (320, 320), (360, 360),
        ]  # fmt: skip
        assert not pairer.alone

    def test_silence_without_a_broken_connection_falls_back_too_and_ends(self, pairer: Pairer) -> None:
        events = [(t, "main", shot(t)) for t in range(0, 8000, 40)]
        events += [(t + 5, "sub", shot(t)) for t in [*range(0, 1000, 40), *range(6000, 8000, 40)]]
        pairs = at_ms(play(pairer, events))
        assert [t for t, _ in pairs] == sorted({t for t, _ in pairs})
        assert all(sub == t for t, sub in pairs if t < 960 or t > 6040)
        assert (5000, None) in pairs

    def test_a_substream_whose_times_never_fit_does_not_starve_the_camera(
        self, pairer: Pairer, drops: DropCounter
    ) -> None:
        events = [(t, "main", shot(t)) for t in range(0, 10_000, 40)]
        events += [(t + 5, "sub", shot(t - 5000)) for t in range(0, 10_000, 40)]
        pairs = at_ms(play(pairer, events))
        assert [t for t, _ in pairs if t > 2100] == list(range(2120, 10_000, 40))
        assert drops.as_dict()["unpaired"] > 100

    @given(st.lists(st.tuples(st.sampled_from(["main", "sub", "lost", "restart"]), st.integers(0, 500))))
    def test_whatever_happens_main_pictures_go_out_once_and_in_order(
        self, happenings: list[tuple[str, int]]
    ) -> None:
        pairer, now_ms, out = Pairer(0.1, 0.5, DropCounter()), 0, []
        for kind, wait_ms in happenings:
            now_ms += wait_ms + 1
            match kind:
                case "main":
                    out += pairer.add_main(shot(now_ms))
                case "sub":
                    out += pairer.add_sub(shot(now_ms))
                case "lost":
                    pairer.sub_lost()
                case "restart":
                    pairer.restart()
        times = [pair.main.captured_at_ns for pair in out]
        assert times == sorted(set(times))
        assert all(abs(gap_ns(p.main, p.sub)) <= NS // 10 for p in out if p.sub)


def test_the_memory_of_waiting_pictures_is_bounded() -> None:
    pairer = Pairer(0.001, 3600.0, DropCounter())
    for number in range(2000):
        pairer.add_main(shot(number * 10))
        pairer.add_sub(shot(number * 10 + 10**9))
    assert len(pairer._mains) <= 16
    assert len(pairer._subs) <= 16
