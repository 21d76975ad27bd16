"""A PostgreSQL server on this machine, for as long as the tests run."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.kafka.broker import free_port

USER, PASSWORD = "pinwatch", "correct horse"
_START_S = 60.0


def programs() -> Path:
    """The folder with ``initdb`` and ``postgres``.

    Raises:
        RuntimeError: PostgreSQL is not on this machine.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    if on_path:
        return Path(on_path).parent
    raise RuntimeError("no initdb on this machine (Debian: postgresql)")


def _as_user() -> list[str]:
    """PostgreSQL does not run as root; its package makes a user for it."""
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


class Server:
    """A cluster in a folder of its own, on a port of its own, with passwords."""

    def __init__(self) -> None:
        self._programs = programs()
        self._folder = Path(tempfile.mkdtemp(prefix="pinwatch-postgres-"))
        self.port = free_port()
        if _as_user():
            shutil.chown(self._folder, "postgres")
        self._process: subprocess.Popen[bytes] | None = None

    def address(self, database: str = "postgres", password: str = PASSWORD) -> str:
        """For clients, with the password in it."""
        return f"postgresql://{USER}:{password.replace(' ', '%20')}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Make the cluster the first time, start it, and wait until it answers."""
        data = self._folder / "data"
        if not data.exists():
            secret = self._folder / "password"
            secret.write_text(PASSWORD)
            secret.chmod(0o644)
            self._run(
                "initdb", "-D", data, "-U", USER, f"--pwfile={secret}", "--auth=scram-sha-256", "--no-sync"
            )
        options = ["-p", str(self.port), "-k", str(self._folder), "-c", "listen_addresses=127.0.0.1"]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_as_user(), str(self._programs / "postgres"), "-D", str(data), *options, "-c", "fsync=off"],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _START_S
        ready = [str(self._programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port), "-q"]
        while subprocess.run(ready, check=False).returncode:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError((self._folder / "server.log").read_text(errors="replace")[-2000:])
            time.sleep(0.1)

    def stop(self) -> None:
        """End it now; what was committed stays."""
        if self._process is not None:
            pid = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGQUIT)
            self._process.wait(timeout=60)
            self._process = None

    def remove(self) -> None:
        """Stop it and remove all."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: object) -> None:
        subprocess.run(
            [*_as_user(), str(self._programs / program), *map(str, arguments)],
            check=True,
            capture_output=True,
            timeout=120,
        )


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """A server, removed at the end."""
    server = Server()
    server.start()
    try:
        yield server
    finally:
        server.remove()
