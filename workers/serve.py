"""Runs one step on a broker for as long as it is wanted, whatever becomes of the broker meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from workers.bus.base import Bus, BusInterrupted, BusUnavailable
from workers.loop import Step, run
from workers.metrics import WorkerMetrics

log = structlog.get_logger(__name__)

AGAIN_S = 1.0


def patiently(check: Callable[[], None], stop: threading.Event, metrics: WorkerMetrics) -> None:
    """Do `check` once there is a broker: machines start in any order."""
    while not stop.is_set():
        try:
            check()
            return
        except BusUnavailable as error:
            log.warning("waiting for the broker", error=str(error))
            metrics.on_polled()


def serve(bus: Bus, step: Step, stop: threading.Event, metrics: WorkerMetrics) -> None:
    """Run `step` until `stop` is set or its input is exhausted.

    Where the broker loses something, or goes away, the step begins again from its last commit.

    Raises:
        BusError: the broker refuses us.
        PinwatchError: what the step failed with.
    """
    while not stop.is_set():
        try:
            run(bus, step, stop, metrics)
            return
        except (BusInterrupted, BusUnavailable) as error:
            log.warning("beginning again from the last commit", step=step.name, error=str(error))
            metrics.on_restart()
            stop.wait(AGAIN_S)
