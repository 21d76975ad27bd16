"""The shadow lane's process: what is said of one that does not end well, and that none is left behind."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from pathlib import Path

import pytest

from gallery.database import Database
from tests.workers.canary import targets
from workers.canary.child import NICENESS
from workers.canary.process import ShadowProcess
from workers.canary.runs import RunStore
from workers.config import Settings

PATIENCE_S = 60.0


@pytest.fixture
def settings(database: Database) -> Settings:
    return Settings(data=database.folder)


def until_there(path: Path) -> str:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if path.exists() and (text := path.read_text()):
            return text
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


def until_gone(pid: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} is still there")


def test_it_gives_way_and_says_itself_what_went_wrong(settings: Settings, runs: RunStore) -> None:
    run = runs.claim("a test", every_s=0, limit_s=600)
    assert run is not None
    assert ShadowProcess(settings, targets.fail_with_words).run(run.id, PATIENCE_S) is None
    assert runs.get(run.id).reason == f"niceness {NICENESS}"


def test_one_that_is_killed_and_one_that_ends_oddly(settings: Settings) -> None:
    said = ShadowProcess(settings, targets.be_killed).run("r", PATIENCE_S)
    assert said == "its process was ended by SIGKILL"
    assert ShadowProcess(settings, targets.leave_oddly).run("r", PATIENCE_S) == "its process ended with 7"


def test_one_that_takes_too_long_is_ended(settings: Settings) -> None:
    said = ShadowProcess(settings, targets.take_long).run("r", 6.0)
    assert said is not None
    assert said.startswith("it took longer than 6 s")
    until_gone(int(until_there(settings.data / "pid")))


def test_it_ends_when_the_program_does(settings: Settings) -> None:
    shadow = ShadowProcess(settings, targets.take_long)
    said: list[str | None] = []
    thread = threading.Thread(target=lambda: said.append(shadow.run("r", PATIENCE_S)))
    thread.start()
    pid = int(until_there(settings.data / "pid"))
    shadow.stop()
    thread.join(PATIENCE_S)
    assert said == ["the program ended while it ran"]
    until_gone(pid)
    assert shadow.run("r", PATIENCE_S) == "the program ended before it began"


def test_it_ends_when_the_program_is_killed(settings: Settings) -> None:
    program = multiprocessing.get_context("spawn").Process(
        target=targets.start_one_and_die, args=(str(settings.data),)
    )
    program.start()
    pid = int(until_there(settings.data / "pid"))
    program.kill()
    program.join(PATIENCE_S)
    program.close()
    until_gone(pid)
