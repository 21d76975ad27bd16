"""Runs a step for as long as it is wanted: where it fails, it begins again from its last commit."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.seams import Clock
from workers.bus.base import Received, Topic
from workers.bus.memory import BusClosed, MemoryBus
from workers.live.failing import log_failure
from workers.loop import NobodyWatches, Step, run

AGAIN_FIRST_S = 1.0
AGAIN_MAX_S = 30.0


@dataclass(frozen=True, slots=True)
class StepView:
    """How a step is.

    Attributes:
        name: Which.
        restarts: How often it failed.
        error: Why it does not work; empty: it does.
        since_ns: Since when, nanoseconds since 1970 UTC; ``None``: it works.
        messages: How many it was given.
    """

    name: str
    restarts: int
    error: str
    since_ns: int | None
    messages: int


class PatientStep(NobodyWatches):
    """A step in a thread of its own, which ends when its input has ended and is worked off.

    Args:
        bus: Where its messages are.
        step: The step.
        output: The topic that only it writes to, which ends with it.
        clock: Time.
        again_s: How long to wait after a failure; twice as long after each more, up to a limit.
    """

    def __init__(
        self, bus: MemoryBus, step: Step, output: Topic | None, clock: Clock, again_s: float = AGAIN_FIRST_S
    ) -> None:
        self._bus, self._step, self._output, self._clock = bus, step, output, clock
        self._first_s = self._wait_s = again_s
        self._restarts, self._messages, self._at_work = 0, 0, False
        self._error, self._since_ns = "", 0
        self._given_up = threading.Event()
        bus.consumer(step.name, step.inputs)  # the bus keeps nothing for strangers
        self._thread = threading.Thread(target=self._run, name=step.name, daemon=True)

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def join(self, within_s: float) -> bool:
        """Wait for the end; whether it has come."""
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def give_up(self) -> None:
        """Do not begin again after a failure."""
        self._given_up.set()

    @property
    def view(self) -> StepView:
        """How it is."""
        since_ns = self._since_ns if self._error else None
        return StepView(self._step.name, self._restarts, self._error, since_ns, self._messages)

    # As an observer of the loop

    def on_batch(self, received: Sequence[Received]) -> None:
        self._messages += len(received)
        self._at_work = True

    def on_polled(self) -> None:
        """Whatever it was given before is done with."""
        if self._at_work:
            self._at_work, self._error, self._wait_s = False, "", self._first_s

    def _run(self) -> None:
        while not self._given_up.is_set():
            try:
                run(self._bus, self._step, threading.Event(), self)
                break
            except BusClosed:
                return
            except Exception as error:  # noqa: BLE001 - noted, and tried again
                self._note(error)
                self._given_up.wait(self._wait_s)
                self._wait_s = min(2 * self._wait_s, AGAIN_MAX_S)
        if self._output is not None:
            self._bus.finish(self._output)

    def _note(self, error: Exception) -> None:
        event = "a step failed; beginning again from its last commit"
        told = log_failure(event, error, step=self._step.name)
        self._at_work = False
        self._restarts += 1
        if not self._error:
            self._since_ns = self._clock.now_ns()
        self._error = told
