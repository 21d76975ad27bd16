"""Tells others of alerts that are new or were changed, by whichever process that was."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import structlog

from pipeline.errors import PinwatchError
from workers.alerts.reading import AlertStore
from workers.alerts.records import Alert, State
from workers.repeated import Repeated

log = structlog.get_logger(__name__)

EVERY_S = 0.5
_REMEMBERED = 10_000

Announce = Callable[[Alert, bool], None]
"""Told an alert as it is now, and whether it was raised just now, so that it may sound."""


class AlertFollower:
    """Asks again and again what changed, and at once when it is woken; in a thread of its own.

    Args:
        store: What changed.
        announce: Told of it, in order; it must not raise.
        every_s: How often to ask: other processes raise alerts too.
    """

    def __init__(self, store: AlertStore, announce: Announce, every_s: float = EVERY_S) -> None:
        self._store, self._announce = store, announce
        self._version: int | None = None
        self._turns: OrderedDict[str, int] = OrderedDict()
        self._repeated = Repeated(self._look_or_say, every_s, "alerts follow")

    def start(self) -> None:
        """Begin with what changes from now on; once."""
        self._repeated.start()

    def wake(self, changed: frozenset[str] = frozenset()) -> None:
        """Something was changed by this process: do not wait."""
        self._repeated.wake()

    def close(self) -> None:
        """Return when the thread has ended; safe twice, and before :meth:`start`."""
        self._repeated.close()

    def _look_or_say(self) -> None:
        try:
            self.look()
        except PinwatchError as error:
            log.warning("changed alerts cannot be read; trying again", error=str(error))

    def look(self) -> None:
        """Announce what changed since the last time; the first time remembers where to begin."""
        if self._version is None:
            self._version = self._store.version()
            return
        for alert in self._store.changed_since(self._version):
            self._version = max(self._version, alert.version)
            self._tell(alert)

    def _tell(self, alert: Alert) -> None:
        fresh = alert.state is State.OPEN and self._turns.get(alert.id) != alert.turn
        self._turns[alert.id] = alert.turn
        self._turns.move_to_end(alert.id)
        if len(self._turns) > _REMEMBERED:
            self._turns.popitem(last=False)
        self._announce(alert, fresh)
