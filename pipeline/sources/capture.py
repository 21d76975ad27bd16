"""Keeps one camera connected: a thread that reads, notices loss, waits and connects again."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
import tenacity

from pipeline.errors import PinwatchError, SourceError, SourceLost
from pipeline.seams import Clock
from pipeline.sources.connection import Connect, Connection, Shot, StreamInfo
from pipeline.sources.options import LiveOptions
from pipeline.sources.worker import Worker

log = structlog.get_logger(__name__)

_JOIN_S = 1.0


class Backoff:
    """How long to wait before the next try: exponential with jitter, so that many cameras that were
    lost together (a switch, a recorder) do not come back together."""

    def __init__(self, first_s: float, max_s: float) -> None:
        # The floor keeps a camera from being asked many times a second: some lock the account.
        self._wait = tenacity.wait_random_exponential(multiplier=first_s, max=max_s, min=first_s / 2)
        self._failures = 0

    def next_s(self) -> float:
        """Count one more failure; seconds to wait, at least half of the first wait."""
        self._failures += 1
        state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
        state.attempt_number = min(self._failures, 64)
        return float(self._wait(state))

    def reset(self) -> None:
        """Start over."""
        self._failures = 0


class Capture:
    """Delivers the pictures of one camera from a thread of its own until it is closed.

    Every connection that gives a picture is a session with a number of its own. A failure that
    somebody has to correct (wrong password, no such path) is final only if there was no session
    yet: a camera that worked once is tried for ever.

    Args:
        name: How the log calls it.
        connect: Opens a connection.
        begin: Called at each connection's first picture with what the camera says about its stream;
            gives the session's number.
        deliver: Takes (session number, picture); must not block.
        lost: Told of every failed try and lost connection that will be followed by another try.
        ended: Called once at the end, with the error if there was a final one.
        patient: Never treat a failure as final.
    """

    def __init__(
        self,
        name: str,
        connect: Connect,
        *,
        begin: Callable[[StreamInfo], int],
        deliver: Callable[[int, Shot], None],
        lost: Callable[[], None],
        ended: Callable[[BaseException | None], None],
        options: LiveOptions,
        clock: Clock,
        patient: bool = False,
    ) -> None:
        self._name = name
        self._connect = connect
        self._begin = begin
        self._deliver = deliver
        self._lost = lost
        self._ended = ended
        self._clock = clock
        self._stable_s = options.stable_s
        self._backoff = Backoff(options.retry_first_s, options.retry_max_s)
        self._patient = patient
        self._closed = threading.Event()
        self._worker = Worker(self._run, self._closed.set, name=f"capture-{name}")

    def start(self) -> None:
        """Begin; once."""
        self._worker.start()

    def stop(self) -> None:
        """Ask the thread to end, without waiting."""
        self._closed.set()

    def close(self) -> None:
        """Ask the thread to end and wait for it a moment.

        A thread that is connecting ends at the connection's timeout, and delivers nothing before that.
        """
        self._worker.close(within_s=_JOIN_S)

    def _run(self) -> None:
        try:
            while not self._closed.is_set():
                self._try_once()
        except Exception as error:  # noqa: BLE001 - raised again in the consumer's thread
            self._ended(error)
        else:
            self._ended(None)

    def _try_once(self) -> None:
        try:
            self._session()
        except PinwatchError as error:
            if self._closed.is_set():
                return
            if not (error.retriable or (self._patient and isinstance(error, SourceError))):
                raise
            wait_s = self._backoff.next_s()
            log.warning("camera lost", camera=self._name, error=str(error), retry_in_s=round(wait_s, 2))
            self._lost()
            self._closed.wait(wait_s)

    def _session(self) -> None:
        connection = self._connect()
        try:
            self._read(connection)
        finally:
            connection.close()

    def _read(self, connection: Connection) -> None:
        session: int | None = None
        since_s = self._clock.monotonic_s()
        for shot in connection.shots():
            if self._closed.is_set():
                return
            if shot is None:
                continue
            if session is None:
                info = connection.info
                session = self._begin(info)
                self._patient = True
                log.info("camera connected", camera=self._name, session=session, stream=info)
            if self._clock.monotonic_s() - since_s > self._stable_s:
                self._backoff.reset()
            self._deliver(session, shot)
        if not self._closed.is_set():
            raise SourceLost(f"{self._name}: the camera ended the stream")
