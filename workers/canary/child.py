"""The shadow lane's process: niced, on one thread, and gone when the program that started it is."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading

from pipeline.errors import PinwatchError
from workers.config import Settings

NICENESS = 19


def run_in_child(settings: Settings, run_id: str) -> None:
    """Do a claimed run; ends the process with 0 where it was done, else with 1.

    Args:
        settings: Of the program that started it.
        run_id: Of the run.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us
    give_way()
    _end_with_parent()
    from workers.build import Context
    from workers.canary.work import do_run

    program = Context.with_settings(settings)
    try:
        do_run(program, run_id)
    except PinwatchError:
        sys.exit(1)  # the run says why
    finally:
        program.close()


def give_way() -> None:
    """Leave processors to whoever wants them, and take one at most."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICENESS)
    import torch

    torch.set_num_threads(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()
