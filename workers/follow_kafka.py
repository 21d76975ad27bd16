"""Puts together what follows decisions on a broker."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from workers.bus.base import Topic
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.options import KafkaOptions
from workers.bus.kafka.tail import Tail
from workers.follow import Offsets, SightingsFollower
from workers.loop import Observer
from workers.steps import SightingSink

BACK_S = 60.0
"""Whoever begins to follow wants to know of the tracks that go on as well."""


def sightings_follower(
    options: KafkaOptions,
    lane: Lane,
    sinks: Sequence[SightingSink],
    on_problem: Callable[[str], None] = lambda problem: None,
    observer: Observer | None = None,
) -> SightingsFollower:
    """What tells `sinks` of every decision of `lane` from about now on, whoever makes it."""

    def open_newest(after: Offsets) -> Tail:
        return Tail(options, lane, Topic.SIGHTINGS, BACK_S, after)

    return SightingsFollower(open_newest, sinks, on_problem, observer)
