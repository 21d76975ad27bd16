"""Logs: on standard error, at the level that was asked for, and never with a password."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from workers.config import LogSettings
from workers.logs import configure


@pytest.fixture(autouse=True)
def default_afterwards() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_nothing_goes_to_standard_output_and_the_level_holds(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogSettings(level="warning"))
    log = structlog.get_logger("test")
    log.info("quiet")
    log.warning("loud", camera="gate")
    out, err = capsys.readouterr()
    assert out == ""
    assert "quiet" not in err
    assert "loud" in err
    assert "gate" in err


def test_json_lines_without_the_password_of_an_address(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogSettings(format="json"))
    log = structlog.get_logger("test")
    try:
        raise OSError("cannot open rtsp://bob:hunter2@10.0.0.7/main")
    except OSError:
        log.exception("camera lost", address="rtsp://bob:hunter2@10.0.0.7/main")
    (line,) = capsys.readouterr().err.splitlines()
    record = json.loads(line)
    assert (record["event"], record["level"]) == ("camera lost", "error")
    assert "hunter2" not in line
    assert "OSError" in record["exception"]
