"""Names of topics and groups: a lane for live cameras, and one for every audit job."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.errors import UsageError
from workers.bus.base import Topic

LIVE_RUN = "live"
"""The run of everything that live cameras show: with their epochs, tracks of one run never collide."""

_JOB = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,79}")


@dataclass(frozen=True, slots=True)
class Lane:
    """A set of topics with workers of its own.

    Attributes:
        prefix: Of all names on this cluster.
        job: The audit job; ``None`` for the lane of live cameras.

    Raises:
        UsageError: the job cannot be part of a topic's name.
    """

    prefix: str = ""
    job: str | None = None

    def __post_init__(self) -> None:
        if self.job is not None and not _JOB.fullmatch(self.job):
            raise UsageError(
                f"the job {self.job!r} cannot be part of a topic's name: up to 80 letters, digits, - and _"
            )

    @property
    def run_id(self) -> str:
        """Under which this lane's decisions are filed."""
        return self.job or LIVE_RUN

    @property
    def live(self) -> bool:
        """Whether late crops may be dropped; what is audited waits instead."""
        return self.job is None

    def topic(self, topic: Topic) -> str:
        """The topic's name on the cluster."""
        return f"{self._before()}{topic}"

    def group(self, step: str) -> str:
        """The group of all workers that run `step`."""
        return f"{self._before()}pinwatch-{step}"

    def _before(self) -> str:
        return self.prefix if self.job is None else f"{self.prefix}audit-{self.job}."
