"""Alerts from decisions on Kafka: each goes to one of all consoles, and is done with when it is written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import structlog

from pipeline.errors import PinwatchError
from pipeline.redact import redact
from workers.bus.base import Bus
from workers.console.on_kafka.troubles import Recovering, Troubles
from workers.loop import Observer, run
from workers.steps import RecordStep, SightingSink

log = structlog.get_logger(__name__)

PART = "alerts"
AGAIN_S = 2.0


class AlertStep(RecordStep):
    """sightings -> alerts; its group is shared by all consoles. It commits only what its sinks have kept."""

    name = "alert"


class Alerting:
    """Raises alerts for as long as it is wanted, whatever becomes of broker and database meanwhile.

    Args:
        bus: Where decisions are.
        alerts: Write them; writing a decision twice changes nothing.
        make_ready: Called before each beginning; raises where that is not possible yet.
        troubles: Told what does not work.
        observer: Told how the work goes.
    """

    def __init__(
        self,
        bus: Bus,
        alerts: Sequence[SightingSink],
        make_ready: Callable[[], None],
        troubles: Troubles,
        observer: Observer,
    ) -> None:
        self._bus, self._step, self._make_ready, self._troubles = bus, AlertStep(alerts), make_ready, troubles
        self._observer = Recovering(observer, troubles, PART)

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set; what failed begins again from its last commit."""
        while not stop.is_set():
            try:
                self._make_ready()
                run(self._bus, self._step, stop, self._observer)
            except PinwatchError as error:
                self._troubles.say(PART, f"alerts are not raised: {redact(str(error))}")
            except Exception as error:
                log.exception("alerts are not raised; beginning again")
                self._troubles.say(PART, f"alerts are not raised: {type(error).__name__}")
            stop.wait(AGAIN_S)
