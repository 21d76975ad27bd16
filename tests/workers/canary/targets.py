"""What processes of tests do; of a module that they can import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from gallery.database import Database
from workers.canary.child import _end_with_parent, give_way
from workers.canary.runs import RunStore
from workers.config import Settings


def fail_with_words(settings: Settings, run_id: str) -> None:
    give_way()
    database = Database.open(settings.data)
    RunStore(database).fail(run_id, f"niceness {os.nice(0)}")
    database.close()
    raise SystemExit(1)


def be_killed(settings: Settings, run_id: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave_oddly(settings: Settings, run_id: str) -> None:
    raise SystemExit(7)


def take_long(settings: Settings, run_id: str) -> None:
    (settings.data / "pid").write_text(str(os.getpid()))
    time.sleep(60)


def take_long_with_parent(settings: Settings, run_id: str) -> None:
    _end_with_parent()
    take_long(settings, run_id)


def start_one_and_die(folder: str) -> None:
    """A program that is killed while its shadow process works."""
    from workers.canary.process import ShadowProcess

    ShadowProcess(Settings(data=Path(folder)), take_long_with_parent).run("r", 60)
