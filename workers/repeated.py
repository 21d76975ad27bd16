"""Work that is done now and then, beside everything else."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pipeline.sources.worker import Worker


class Repeated:
    """Does something at once and then again and again, in a thread of its own.

    Attributes:
        ended: Set when it is to end, for work that takes long.

    Args:
        work: What; it must not raise.
        every_s: How often.
        name: Of the thread.
    """

    def __init__(self, work: Callable[[], None], every_s: float, name: str) -> None:
        self._work, self._every_s = work, every_s
        self.ended, self._woken = threading.Event(), threading.Event()
        self._worker = Worker(self._run, self._end, name=name)

    def start(self) -> None:
        """Begin; once."""
        self._worker.start()

    def wake(self) -> None:
        """Do it soon, without waiting for the time to be over."""
        self._woken.set()

    def close(self) -> None:
        """Return when what is under way is done; safe twice, and before :meth:`start`."""
        self._worker.close()

    def _run(self) -> None:
        while not self.ended.is_set():
            self._woken.clear()
            self._work()
            self._woken.wait(self._every_s)

    def _end(self) -> None:
        self.ended.set()
        self._woken.set()
