"""Sends what is in the outbox, in a thread of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import partial

import structlog

from pipeline.errors import PinwatchError
from pipeline.redact import redact
from workers.alerts.deliveries.attempt import LONGEST_S, attempt
from workers.alerts.deliveries.letters import Letters
from workers.alerts.deliveries.outbox import Item, Outbox
from workers.alerts.deliveries.pauses import pause_s
from workers.alerts.deliveries.receiver import Receiver, Way
from workers.alerts.deliveries.sending import NotTaken, Refused, Sends
from workers.repeated import Repeated

log = structlog.get_logger(__name__)

EVERY_S = 1.0
_AT_ONCE = 50
_SWEEP_S = 3600.0


class Courier:
    """Takes turns with all receivers; one who cannot be reached holds up nobody else for long.

    Args:
        outbox: What is to be sent.
        letters: Makes messages of it.
        ways: How to send.
        tidy: Done every hour.
        monotonic_s: A clock that only goes forward, seconds.
        chance: 0..1, for pauses.
        longest_s: For one attempt.
    """

    def __init__(
        self,
        outbox: Outbox,
        letters: Letters,
        ways: Mapping[Way, Sends],
        *,
        tidy: Callable[[], None],
        monotonic_s: Callable[[], float],
        chance: Callable[[], float] = random.random,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._outbox, self._letters, self._ways, self._tidy = outbox, letters, ways, tidy
        self._monotonic_s, self._chance, self._longest_s = monotonic_s, chance, longest_s
        self._tidied_s: float | None = None
        self._repeated = Repeated(self._work, EVERY_S, "alerts courier")
        self._ended = self._repeated.ended

    def start(self) -> None:
        """Begin; once."""
        self._repeated.start()

    def wake(self, changed: frozenset[str] = frozenset()) -> None:
        """There may be something to send: do not wait."""
        self._repeated.wake()

    def close(self) -> None:
        """Return when the thread has ended; what is under way is sent again by whoever comes next."""
        self._repeated.close()

    def _work(self) -> None:
        try:
            while self.turn() and not self._ended.is_set():
                pass
            self._tidy_up()
        except PinwatchError as error:
            log.warning("alerts are not delivered; trying again", error=redact(str(error)))

    def turn(self) -> bool:
        """Send to one receiver what waits; whether there was one."""
        claimed = self._outbox.claim()
        if claimed is None:
            return False
        receiver, failures = claimed
        try:
            for _ in range(_AT_ONCE):
                item = None if self._ended.is_set() else self._outbox.next(receiver)
                if item is None or not self._deliver(receiver, item, failures):
                    break
                failures = 0
        finally:
            self._outbox.release(receiver)
        return True

    def _deliver(self, receiver: Receiver, item: Item, failures: int) -> bool:
        """Whether the next one can be tried at once."""
        letter = self._letters.write(item, receiver)
        if isinstance(letter, str):
            self._outbox.dropped(item, letter)
            return True
        send = partial(self._ways[receiver.way].send, receiver, letter)
        try:
            if not attempt(send, self._ended, self._longest_s):
                return False
        except Refused as error:
            log.warning("an alert was refused", delivery=receiver.name, error=redact(str(error)))
            self._outbox.refused(item, redact(str(error)))
            return True
        except NotTaken as error:
            return self._failed(receiver, item, failures + 1, redact(str(error)))
        except Exception as error:  # noqa: BLE001 - a library failed in its own way: no reason to stop for others
            return self._failed(receiver, item, failures + 1, redact(repr(error)))
        self._outbox.sent(item)
        return True

    def _failed(self, receiver: Receiver, item: Item, failures: int, error: str) -> bool:
        log.warning("an alert was not delivered", delivery=receiver.name, failures=failures, error=error)
        self._outbox.failed(item, error, failures, pause_s(failures, self._chance()))
        return False

    def _tidy_up(self) -> None:
        now_s = self._monotonic_s()
        if self._tidied_s is None or now_s - self._tidied_s > _SWEEP_S:
            self._tidied_s = now_s
            self._outbox.sweep()
            self._tidy()
