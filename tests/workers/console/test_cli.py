"""`pinwatch console` as a process, and what it says when it cannot."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from httpx2 import Client
from typer.testing import CliRunner

from audit.ledger.entries import Kind, decode_entry
from audit.ledger.folder import LedgerFolder
from audit.ledger.frames import beginning, read_frames
from pipeline.errors import ConfigError, SourceNotFound, UsageError
from tests.workers.console.world import PASSWORD, World
from workers.build import Context
from workers.cli.common import App
from workers.cli.console import console
from workers.console.access.roles import Role


def run(data: Path, *arguments: str) -> str:
    """What the verb prints; errors come as exceptions, as `workers.cli.main` gets them."""
    app = App()
    app.command("console")(console)
    app.command("other")(lambda ctx: None)
    context = Context({})
    context.override(data=data)
    result = CliRunner().invoke(app, ["console", *arguments], obj=context)
    context.close()
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_first_start_prints_a_link_and_an_orderly_end_closes_the_ledger(world: World) -> None:
    data = world.database.folder
    command = "from workers.cli.main import main; main()"
    options = ["console", "--data", str(data), "--port", str(free_port())]
    with subprocess.Popen(
        [sys.executable, "-c", command, *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        link = process.stdout.readline().strip()
        with Client(base_url=link.partition("/welcome/")[0]) as browser:
            page = browser.get(link).text
            assert "The first administrator" in page
            token = page.partition('name="form_token" value="')[2][:64]
            fields = {"form_token": token, "name": "root", "password": PASSWORD}
            assert browser.post(link, data=fields).headers["location"] == "/"
            assert browser.get("/users").status_code == 200
            assert browser.get(link).status_code == 404
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    ledger = LedgerFolder(data / "ledger")
    (writer,) = ledger.writers()
    kinds = [decode_entry(frame).kind for frame in read_frames(ledger.chain(writer), beginning(writer))]
    assert kinds[0] == Kind.ACCESS
    assert kinds[-1] == Kind.CLOSED


def test_a_link_for_a_forgotten_password(world: World) -> None:
    world.user("ada", Role.ADMINISTRATOR)
    link = run(world.database.folder, "--link-for", "ada").strip()
    secret = link.rpartition("/welcome/")[2]
    assert link == f"http://127.0.0.1:8080/welcome/{secret}"
    world.clock.set_wall_ns(2_000_000_000_000_000_000)
    assert world.access.links.accept(secret, "", PASSWORD) is None  # a day is over there
    with pytest.raises(UsageError, match="no user called 'bo'"):
        run(world.database.folder, "--link-for", "bo")


def test_it_does_not_open_to_the_world_by_accident(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"console\.public_url"):
        run(tmp_path, "--host", "0.0.0.0")


def test_what_is_no_source_is_said_before_anything_is_served(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match=r"there is no file.*lobby\.mp4"):
        run(tmp_path, str(tmp_path / "lobby.mp4"))
    with pytest.raises(UsageError, match="kept footage is watched again with `pinwatch watch`"):
        run(tmp_path, "recorded:gate")
