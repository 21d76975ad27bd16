"""Settings of the identity provider, and a start while it is away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest
from httpx2 import Client

from pipeline.errors import ConfigError
from tests.kafka.broker import free_port
from tests.workers.console.world import World
from workers.config import load_settings
from workers.console.access.roles import Role
from workers.console.wiring import oidc_of

YAML = """
console:
  oidc:
    issuer: https://login.example.org/realms/site
    client_id: cameras
    roles:
      heads: administrator
      guards: operator
    cameras:
      guards: [North gate, Hall]
    email_domains: [example.org]
"""


def test_the_settings_say_it_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINWATCH_CONSOLE__OIDC__CLIENT_SECRET", "a secret")
    (tmp_path / "config.yaml").write_text(YAML)
    settings = load_settings(tmp_path / "config.yaml", {"console.port": 8081})
    options = oidc_of(settings.console.oidc)
    assert options is not None
    assert options.client_secret == "a secret"
    assert "a secret" not in f"{settings!r}{options!r}{settings.model_dump_json()}"
    assert list(options.roles.items()) == [("heads", Role.ADMINISTRATOR), ("guards", Role.OPERATOR)]
    assert options.cameras == {"guards": ("North gate", "Hall")}
    assert oidc_of(load_settings(None, {}).console.oidc) is None


def test_a_role_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(YAML.replace("operator", "janitor"))
    with pytest.raises(ConfigError, match=r"console\.oidc\.roles\.guards"):
        load_settings(tmp_path / "config.yaml", {})


def _until(lines: IO[str], last: str) -> str:
    """What is said until a line begins with `last`; lines are broken anywhere."""
    said: list[str] = []
    for line in lines:
        said.append(line.strip())
        if line.startswith(last):
            break
    return " ".join(said)


def test_it_starts_while_the_provider_is_away_and_says_so(world: World) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-c", "from workers.cli.main import main; main()", "console"]
    options = ["--data", str(world.database.folder), "--port", str(port)]
    environment = {**os.environ, "PINWATCH_CONSOLE__OIDC__ISSUER": address}
    with subprocess.Popen(
        [*command, *options], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stderr is not None
        try:
            said = _until(process.stderr, "console on")
            assert "nobody can log in through the identity provider now" in said
            assert f"{address}/.well-known/openid-configuration: ConnectionError" in said
            with Client() as browser:
                assert browser.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
