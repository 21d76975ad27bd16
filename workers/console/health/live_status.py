"""How cameras and pipeline are, as the live hub and a pipeline inside the console tell."""

from __future__ import annotations

import datetime as dt
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pipeline.seams import Clock
from pipeline.types import Sighting
from workers.console.health.status import CameraStatus, DecisionAges, Lag, StepStatus
from workers.live.hub import LiveHub

KEPT_AGES = 1000


class CameraFacts(Protocol):
    """What a :class:`workers.live.cameras.CameraView` tells."""

    @property
    def rate_hz(self) -> float: ...


class StepFacts(Protocol):
    """What a :class:`workers.live.patient.StepView` tells."""

    @property
    def name(self) -> str: ...
    @property
    def restarts(self) -> int: ...
    @property
    def error(self) -> str: ...


class Works(Protocol):
    """Whoever watches cameras in this process; :class:`workers.console.embedded.EmbeddedPipeline` is one."""

    def camera_views(self) -> Mapping[str, CameraFacts]: ...
    def camera_drops(self) -> Mapping[str, Mapping[str, int]]: ...
    def step_views(self) -> Sequence[StepFacts]: ...
    def waiting(self) -> int | None: ...


class LiveStatus:
    """A :class:`PipelineStatus`, and a sink of decisions, whose ages it remembers.

    Args:
        hub: Knows how every camera is, whoever reads it.
        clock: Time.
    """

    def __init__(self, hub: LiveHub, clock: Clock) -> None:
        self._hub, self._clock = hub, clock
        self._lock = threading.Lock()
        self._ages_s: deque[float] = deque(maxlen=KEPT_AGES)
        self._works: Works | None = None
        self._lags: Callable[[], Sequence[Lag]] = tuple

    def follow(self, works: Works) -> None:
        """Ask this pipeline, too."""
        self._works = works

    def follow_lags(self, lags: Callable[[], Sequence[Lag]]) -> None:
        """Ask this for how far workers on Kafka are behind; it must answer at once."""
        self._lags = lags

    def write(self, sightings: Sequence[Sighting]) -> None:
        """See :class:`workers.steps.SightingSink`."""
        now_s = self._clock.now_ns() / 1e9
        seen = [sighting.last_seen_at for sighting in sightings if sighting.last_seen_at is not None]
        with self._lock:
            self._ages_s.extend(max(0.0, now_s - dt.datetime.fromisoformat(at).timestamp()) for at in seen)

    def cameras(self) -> Sequence[CameraStatus]:
        """See :class:`PipelineStatus`."""
        views = {} if self._works is None else self._works.camera_views()
        drops = {} if self._works is None else self._works.camera_drops()
        return [
            CameraStatus(
                one.camera_id,
                one.state,
                one.since_ns or None,
                one.detail,
                views[one.camera_id].rate_hz if one.camera_id in views else None,
                drops.get(one.camera_id, {}),
            )
            for one in self._hub.cameras()
        ]

    def steps(self) -> Sequence[StepStatus]:
        """See :class:`PipelineStatus`; what else does not work is a step of its own."""
        works, trouble = self._works, self._hub.state().trouble
        views = [] if works is None else list(works.step_views())
        waiting = None if works is None else works.waiting()
        found = [
            StepStatus(view.name, not view.error, waiting if number == 0 else None, view.restarts, view.error)
            for number, view in enumerate(views)
        ]
        if trouble and all(step.well for step in found):
            found.append(StepStatus("pipeline", False, detail=trouble))
        return found

    def ages(self) -> DecisionAges | None:
        """See :class:`PipelineStatus`."""
        with self._lock:
            ages_s = sorted(self._ages_s)
        if not ages_s:
            return None
        p50_s, p95_s, p99_s = (_quantile(ages_s, share) for share in (0.5, 0.95, 0.99))
        return DecisionAges(len(ages_s), p50_s, p95_s, p99_s)

    def lags(self) -> Sequence[Lag]:
        """See :class:`PipelineStatus`."""
        return self._lags()


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that `share` of them do not exceed."""
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * round(share * 100) // 100) - 1))]
