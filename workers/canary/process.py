"""Starts the shadow lane's process, and ends it when its time is up."""

from __future__ import annotations

import multiprocessing
import multiprocessing.process
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Protocol

from workers.canary.child import run_in_child
from workers.canary.limits import longest_s
from workers.canary.records import Run
from workers.canary.runs import RunStore
from workers.config import CanarySettings, Settings

_STOPPING_S = 1.0
_SOON_S = 0.2

Target = Callable[[Settings, str], None]
"""See :func:`workers.canary.child.run_in_child`."""


class ShadowProcess:
    """Does one run at a time in a process of its own.

    Args:
        settings: Of the program.
        target: What the process does; importable, since it is started anew and not forked.
    """

    def __init__(self, settings: Settings, target: Target = run_in_child) -> None:
        self._settings, self._target = settings, target
        self._stop = threading.Event()

    def run(self, run_id: str, limit_s: float) -> str | None:
        """Block until the run is done or given up.

        Args:
            run_id: Of a claimed run.
            limit_s: After so long it is given up.

        Returns:
            Why it came to nothing, if the process did not say so itself; ``None`` where it ended by itself.
        """
        if self._stop.is_set():
            return "the program ended before it began"
        process = multiprocessing.get_context("spawn").Process(
            target=self._target, args=(self._settings, run_id), name="canary", daemon=True
        )
        process.start()
        try:
            return self._await(process, limit_s)
        finally:
            _end(process)

    def stop(self) -> None:
        """Give up what is running; from any thread, for good."""
        self._stop.set()

    def _await(self, process: multiprocessing.process.BaseProcess, limit_s: float) -> str | None:
        until_s = time.monotonic() + limit_s
        while process.is_alive() and time.monotonic() < until_s:
            if self._stop.wait(_SOON_S):
                return "the program ended while it ran"
        if process.is_alive():
            return f"it took longer than {limit_s:.0f} s: the machine is busy, or canary.budget_s is too long"
        return _ended(process.exitcode)


class Shadow(Protocol):
    """Does claimed runs; :class:`ShadowProcess` is one."""

    def run(self, run_id: str, limit_s: float) -> str | None: ...
    def stop(self) -> None: ...


def done_by(
    shadow: Shadow, runs: RunStore, settings: CanarySettings, asked_by: str, *, every_s: float
) -> Run | None:
    """Claim a run and have it done.

    Args:
        shadow: Does it.
        runs: Where it is kept.
        settings: How long it may take.
        asked_by: Who wants it.
        every_s: See :meth:`RunStore.claim`.

    Returns:
        What became of it; ``None`` where it is not the time for one.
    """
    limit_s = longest_s(settings)
    run = runs.claim(asked_by, every_s=every_s, limit_s=limit_s)
    if run is None:
        return None
    reason: str | None = "it was interrupted"
    try:
        reason = shadow.run(run.id, limit_s)
    finally:  # one that is done stays done, and one that said why stays as it is
        runs.fail(run.id, reason or "an error that should not be: the log says which")
    return runs.get(run.id)


def _ended(code: int | None) -> str | None:
    if code in (0, 1, None):  # it said itself what became of it
        return None
    if code < 0:
        return f"its process was ended by {_signal(-code)}"
    return f"its process ended with {code}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _end(process: multiprocessing.process.BaseProcess) -> None:
    if process.is_alive():
        process.terminate()
        process.join(_STOPPING_S)
    if process.is_alive():
        process.kill()
        process.join(_STOPPING_S)
    if os.name != "nt" and process.exitcode is not None:
        process.close()
