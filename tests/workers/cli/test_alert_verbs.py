"""`pinwatch alerts` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gallery.database import Database
from tests.workers.alerts.servers import Hook
from tests.workers.alerts.world import Desk, Track
from workers.alerts.deliveries.receiver import Receiver, Way
from workers.alerts.deliveries.receiver_store import ReceiverStore
from workers.build import Context
from workers.cli.main import app


def run(data: Path, *arguments: str) -> tuple[int, str, BaseException | None]:
    program = Context()
    try:
        result = CliRunner().invoke(app, ["alerts", *arguments, "--data", str(data)], obj=program)
    finally:
        program.close()
    return result.exit_code, result.stdout, result.exception


@pytest.fixture
def data(tmp_path: Path) -> Path:
    database = Database.open(tmp_path / "data")
    desk = Desk(database)
    desk.rule("banned [red]people")
    desk.take(Track().says(0, "a" * 16))
    database.close()
    return tmp_path / "data"


def test_alerts_and_rules_are_listed(data: Path) -> None:
    code, listed, _ = run(data, "list")
    assert code == 0
    assert "gate" in listed
    told = json.loads(run(data, "list", "--json")[1])
    assert (told["camera"], told["state"], told["sightings"]) == ("gate", "open", 1)
    assert "always" in run(data, "rules")[1]
    assert json.loads(run(data, "rules", "--json")[1])["kind"] == "known"


def test_a_test_says_whether_it_was_taken(data: Path) -> None:
    with Hook().serving() as hook:
        database = Database.open(data)
        ReceiverStore(database).add(Receiver("", "hook", Way.WEBHOOK, url=hook.url, secret="x"))
        database.close()
        assert run(data, "test", "hook")[:2] == (0, "hook took the test\n")
        hook.answers = [500]
        code, _, error = run(data, "test", "hook")
        assert code == 1
        assert "hook did not take the test: the webhook answered 500" in str(error)
        assert "hook" in run(data, "deliveries")[1]
        assert "nobody is told of alerts as 'them'" in str(run(data, "test", "them")[2])
