"""All steps in one process, for as long as it lives: cameras come and go, and what fails is begun again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

import structlog

from pipeline.seams import Clock
from pipeline.types import FaceCrop, TrackEnded
from workers.bus.base import Topic
from workers.bus.memory import MemoryBus
from workers.live.cameras import CameraStates
from workers.live.failing import log_failure
from workers.live.footage import PlayedSource
from workers.live.patient import PatientStep, StepView
from workers.live_reader import LiveReader
from workers.loop import Step
from workers.outbox import Outbox

log = structlog.get_logger(__name__)

BACKLOG_CAUSE = "backlog"
"""Why a crop was dropped before it was embedded: more came than the steps could take."""

WAITING_CROPS = 500
LOOK_S = 1.0
END_S = 8.0
"""What was seen must be decided and written within so long when the end has come."""


class Dropped:
    """Counts crops that were left out on their way, by cause. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._crops: dict[str, int] = {}

    def add(self, cause: str, crops: int) -> None:
        """So many more."""
        with self._lock:
            self._crops[cause] = self._crops.get(cause, 0) + crops

    @property
    def by_cause(self) -> Mapping[str, int]:
        """How many so far."""
        with self._lock:
            return dict(self._crops)


class LivePipeline:
    """Cameras and steps between which everything goes through one bus in memory.

    Args:
        steps: Each with the topic that it is the only writer of, in the order of the data.
        states: How the cameras are.
        clock: Time.
        dropped: Told what the steps do not get to.
        trouble: Told what does not work, in words; empty when everything does.
        again_s: How long to wait after a step has failed.
    """

    def __init__(
        self,
        steps: Sequence[tuple[Step, Topic | None]],
        states: CameraStates,
        clock: Clock,
        *,
        dropped: Dropped | None = None,
        trouble: Callable[[str], None] = lambda text: None,
        again_s: float = 1.0,
    ) -> None:
        self._states, self._trouble = states, trouble
        self._bus = MemoryBus()
        self._steps = [PatientStep(self._bus, step, output, clock, again_s) for step, output in steps]
        self._dropped = dropped or Dropped()
        self._outbox = Outbox(self._bus.producer, WAITING_CROPS, self._dropped.add, BACKLOG_CAUSE)

    def send(self, messages: Sequence[FaceCrop | TrackEnded]) -> None:
        """Take messages of any camera; never waits."""
        self._outbox.send(messages)

    @property
    def dropped_by_cause(self) -> Mapping[str, int]:
        """Crops that were left out on their way."""
        return self._dropped.by_cause

    @property
    def steps(self) -> Sequence[StepView]:
        """How the steps are."""
        return [step.view for step in self._steps]

    @property
    def waiting(self) -> int:
        """Messages that no step has begun with."""
        return self._outbox.waiting

    def run(self, reader: LiveReader, played: Sequence[PlayedSource], stop: threading.Event) -> None:
        """Until `stop` is set; then all tracks are ended, decided and written.

        Args:
            reader: Of the cameras in the database; sends to :meth:`send`.
            played: What else is watched, likewise.
            stop: Ends it.
        """
        for step in self._steps:
            step.start()
        for source in played:
            source.start()
        reading = threading.Thread(target=self._read, args=(reader, stop), name="cameras", daemon=True)
        reading.start()
        while not stop.wait(LOOK_S):
            self._states.look()
            self._trouble("; ".join(_trouble(step.view) for step in self._steps if step.view.error))
        log.info("ending: what was seen so far is still decided and written")
        for source in played:
            source.stop()
        for source in played:
            source.join(END_S)
        reading.join(END_S)
        self._end()

    def _read(self, reader: LiveReader, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                reader.run(stop)
            except Exception as error:  # noqa: BLE001 - logged, and tried again
                log_failure("cameras are not read; trying again", error)
                stop.wait(LOOK_S)

    def _end(self) -> None:
        """Of what was seen: each step ends when the one before it has, and all is worked off."""
        log.info("cameras have ended")
        self._outbox.close(END_S)
        self._bus.finish(Topic.FACES)
        for step in self._steps:
            if not step.join(END_S):
                log.error("a step does not end; what it has not written is given up", step=step.view.name)
                step.give_up()
                self._bus.close()
        log.info("steps have ended")


def _trouble(view: StepView) -> str:
    return f"the step {view.name} does not work ({view.error}); it is tried again"
