"""Real workers in processes of their own, to be killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

PROGRAM = Path(sys.executable).with_name("pinwatch")


class Crew:
    """Workers by name, with one environment.

    Args:
        environment: Theirs.
        logs: Folder for what they write to standard error, a file each.
    """

    def __init__(self, environment: Mapping[str, str], logs: Path) -> None:
        self._environment, self._logs = dict(environment), logs
        self._commands: dict[str, list[str]] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self._processes):
            self.kill(name)

    def start(self, name: str, *command: object) -> None:
        """Start a worker; the same command serves to start it again."""
        if command:
            self._commands[name] = [str(PROGRAM), *map(str, command)]
        with (self._logs / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                self._commands[name], env=self._environment, stdout=log, stderr=log
            )

    def run(self, *command: object) -> str:
        """Run a verb to its end; what it printed."""
        done = self._run(command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fail(self, *command: object) -> str:
        """Run a verb that must fail with an error for people; the error."""
        done = self._run(command)
        assert done.returncode in (1, 2), done.stdout
        assert "Traceback" not in done.stderr
        return done.stderr

    def _run(self, command: Sequence[object]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(PROGRAM), *map(str, command)],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def kill(self, name: str) -> None:
        """``kill -9``; nothing if it has ended."""
        process = self._processes.pop(name)
        process.kill()
        process.wait(timeout=30)

    def ended(self, name: str) -> bool:
        """Whether it has ended by itself; it must have succeeded.

        Raises:
            AssertionError: it failed, with the end of its log.
        """
        code = self._processes[name].poll()
        assert code in (None, 0), f"{name} failed: {self.log(name)[-3000:]}"
        return code == 0

    def stop(self, name: str) -> None:
        """SIGTERM, and wait for an orderly end; one that was still loading just ends."""
        process = self._processes.pop(name)
        process.terminate()
        code = process.wait(timeout=60)
        assert code in (0, -signal.SIGTERM), f"{name} ended with {code}: {self.log(name)[-3000:]}"

    def log(self, name: str) -> str:
        """What it has written so far, all its lives together."""
        return (self._logs / f"{name}.log").read_text(errors="replace")


def environment(data: Path, servers: str, prefix: str, **more: str) -> dict[str, str]:
    """For workers on that broker, with a data folder of their own."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PINWATCH_")},
        "PINWATCH_DATA": str(data),
        "PINWATCH_KAFKA__SERVERS": servers,
        "PINWATCH_KAFKA__PREFIX": prefix,
        "PINWATCH_KAFKA__PARTITIONS": "4",
        "PINWATCH_KAFKA__START_S": "60",
        "PINWATCH_KAFKA__SESSION_TIMEOUT_MS": "6000",
        "PINWATCH_LOG__LEVEL": "info",
        **more,
    }


def wait_until(condition: Callable[[], bool], patience_s: float, what: str) -> None:
    """Return as soon as `condition` holds.

    Raises:
        AssertionError: it does not in time.
    """
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {patience_s:g} s: {what}"
        time.sleep(0.2)
