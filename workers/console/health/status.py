"""What whoever watches cameras knows of itself: the seam between a pipeline and the page that shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gallery.times import utc_text_from_ns
from workers.live.state import CameraState

DECODE_ERRORS = frozenset({"corrupt", "truncated", "unreadable"})
"""Causes of drops that are the fault of what the camera sends."""

DEAD = frozenset({CameraState.LOST, CameraState.FAILED})
"""States in which a camera shows nothing, though it should."""


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """How one camera is.

    Attributes:
        camera_id: Which.
        state: How it is.
        since_ns: Since when, nanoseconds since 1970 UTC; ``None`` where nobody knows.
        detail: Why, in words, without credentials.
        rate_hz: Frames a second lately.
        dropped_by_cause: Frames and faces left out since it was opened.
    """

    camera_id: str
    state: CameraState
    since_ns: int | None = None
    detail: str = ""
    rate_hz: float | None = None
    dropped_by_cause: Mapping[str, int] = field(default_factory=dict)

    @property
    def since(self) -> str | None:
        """ISO 8601 UTC."""
        return None if self.since_ns is None else utc_text_from_ns(self.since_ns)

    @property
    def dead(self) -> bool:
        """Whether it shows nothing, though it should."""
        return self.state in DEAD

    @property
    def decode_errors(self) -> int:
        """Pictures that could not be decoded."""
        return sum(self.dropped_by_cause.get(cause, 0) for cause in DECODE_ERRORS)

    def as_record(self) -> dict[str, Any]:
        """For programs."""
        return {
            "state": str(self.state),
            "since": self.since,
            "detail": self.detail,
            "rate_hz": self.rate_hz,
            "dropped_by_cause": dict(self.dropped_by_cause),
            "decode_errors": self.decode_errors,
        }


@dataclass(frozen=True, slots=True)
class StepStatus:
    """How one step of the pipeline is.

    Attributes:
        name: ``embed``, ``match`` ...
        well: Whether it works.
        waiting: Messages that wait for it.
        restarts: How often it began again after a failure.
        detail: What is wrong with it.
    """

    name: str
    well: bool = True
    waiting: int | None = None
    restarts: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DecisionAges:
    """Time from the last picture of a person to the decision, of the last decisions.

    Attributes:
        count: Over how many.
        p50_s: Half of them are younger, `p95_s` 95 of 100, `p99_s` 99 of 100.
    """

    count: int
    p50_s: float
    p95_s: float
    p99_s: float


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a worker on Kafka is behind.

    Attributes:
        step: Which worker.
        topic: What it reads.
        messages: That wait.
        oldest_s: Age of the oldest of them; ``None``: none waits.
    """

    step: str
    topic: str
    messages: int
    oldest_s: float | None


class PipelineStatus(Protocol):
    """Whoever watches cameras; asked from any thread, and answers at once."""

    def cameras(self) -> Sequence[CameraStatus]:
        """All that are, or are to be, watched."""
        ...

    def steps(self) -> Sequence[StepStatus]:
        """What works on their pictures."""
        ...

    def ages(self) -> DecisionAges | None:
        """How fresh decisions are; ``None`` before the first."""
        ...

    def lags(self) -> Sequence[Lag]:
        """How far workers on Kafka are behind; nothing where there is no Kafka."""
        ...


class NoPipeline:
    """Nobody watches cameras here."""

    def cameras(self) -> Sequence[CameraStatus]:
        return ()

    def steps(self) -> Sequence[StepStatus]:
        return ()

    def ages(self) -> DecisionAges | None:
        return None

    def lags(self) -> Sequence[Lag]:
        return ()
