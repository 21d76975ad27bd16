"""Between a live camera and the broker: what cannot be sent yet waits here. Capture never waits."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from types import TracebackType

import structlog

from pipeline.types import FaceCrop, TrackEnded, TrackKey
from workers.bus.base import BusInterrupted, BusUnavailable, Producer, Topic
from workers.codec import encode

log = structlog.get_logger(__name__)

FULL_CAUSE = "broker_away"
"""Why a crop was dropped by its reader: the broker was away for longer than the outbox holds."""

_AT_ONCE = 64


class Outbox:
    """Messages of one reader on their way to the faces topic, in order.

    Policy when it is full: the oldest crop goes. A track's end never does, and says how many crops of the
    track were lost here, so that every crop is accounted for.

    Args:
        connect: Makes the producer; called again after a failure.
        crops: How many crops may wait.
        dropped: Told a cause and a number.
        cause: Why crops are dropped here.
    """

    def __init__(
        self,
        connect: Callable[[], Producer],
        crops: int,
        dropped: Callable[[str, int], None] = lambda cause, number: None,
        cause: str = FULL_CAUSE,
    ) -> None:
        self._connect, self._capacity, self._on_dropped, self._cause = connect, crops, dropped, cause
        self._waiting: deque[FaceCrop | TrackEnded] = deque()
        self._sending: list[FaceCrop | TrackEnded] = []
        self._crops = 0
        self._lost: dict[TrackKey, int] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def send(self, messages: Sequence[FaceCrop | TrackEnded]) -> None:
        """Put them in; never waits.

        Raises:
            BusError: the broker refuses for good what was sent earlier.
        """
        with self._changed:
            if self._failure is not None:
                raise self._failure
            for message in messages:
                self._put(message)
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """Messages that nobody has begun to send."""
        with self._changed:
            return len(self._waiting)

    def close(self, patience_s: float) -> int:
        """Send what is left, for at most `patience_s`; how many messages were not sent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(patience_s)
        with self._changed:
            return len(self._waiting) + len(self._sending)

    def _put(self, message: FaceCrop | TrackEnded) -> None:
        self._waiting.append(message)
        if isinstance(message, FaceCrop):
            self._crops += 1
            if self._crops > self._capacity:
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        for place, message in enumerate(self._waiting):
            if isinstance(message, FaceCrop):
                del self._waiting[place]
                self._crops -= 1
                self._lost[message.key] = self._lost.get(message.key, 0) + 1
                self._on_dropped(self._cause, 1)
                return

    def _run(self) -> None:
        try:
            while self._deliver():
                pass
        except BaseException as error:  # noqa: BLE001 - raised by send(), in the thread of the camera
            with self._changed:
                self._failure = error

    def _deliver(self) -> bool:
        """With one connection; whether another is needed."""
        try:
            with closing(self._connect()) as producer:
                self._send_all(producer)  # what a failed connection left
                while self._take():
                    self._send_all(producer)
        except (BusInterrupted, BusUnavailable) as error:
            log.warning("the broker did not take everything; sending it again", error=str(error))
            return not self._closed
        return False

    def _send_all(self, producer: Producer) -> None:
        for message in self._sending:
            producer.send(Topic.FACES, encode(message))
        if self._sending:
            producer.flush()

    def _take(self) -> bool:
        """What was sent is done with; the next messages, unless all is done."""
        with self._changed:
            self._sending = []
            self._changed.wait_for(lambda: self._waiting or self._closed)
            self._sending = [self._next() for _ in range(min(_AT_ONCE, len(self._waiting)))]
            return bool(self._sending)

    def _next(self) -> FaceCrop | TrackEnded:
        message = self._waiting.popleft()
        if isinstance(message, FaceCrop):
            self._crops -= 1
            return message
        lost = self._lost.pop(message.key, 0)
        if not lost:
            return message
        dropped = {**message.dropped_by_cause, self._cause: lost}
        return replace(message, crops_sent=message.crops_sent - lost, dropped_by_cause=dropped)


class ReliableSender:
    """The same for recordings: reading waits for the broker instead, and nothing is dropped.

    Args:
        connect: Makes the producer; called again after a failure.
    """

    def __init__(self, connect: Callable[[], Producer]) -> None:
        self._connect = connect
        self._producer = connect()
        self._unconfirmed: list[FaceCrop | TrackEnded] = []

    def __enter__(self) -> ReliableSender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._confirm()
        finally:
            self._producer.close()

    def send(self, messages: Sequence[FaceCrop | TrackEnded]) -> None:
        """Send them; waits for the broker now and then."""
        self._unconfirmed += messages
        for message in messages:
            self._producer.send(Topic.FACES, encode(message))
        if len(self._unconfirmed) >= _AT_ONCE:
            self._confirm()

    def _confirm(self) -> None:
        """Everything is with the broker; what it lost is sent again."""
        while True:
            try:
                self._producer.flush()
                self._unconfirmed.clear()
                return
            except BusInterrupted as error:
                log.warning("the broker did not take everything; sending it again", error=str(error))
                self._producer.close()
                self._again()

    def _again(self) -> None:
        self._producer = self._reconnected()
        for message in self._unconfirmed:
            self._producer.send(Topic.FACES, encode(message))

    def _reconnected(self) -> Producer:
        while True:
            try:
                return self._connect()
            except BusUnavailable as error:
                log.warning("waiting for the broker", error=str(error))
