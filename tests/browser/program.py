"""`pinwatch console` in a process of its own, watching the demonstration's footage over RTSP."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import cv2

from tests import supplied
from workers.demo.footage import Studio
from workers.demo.scene import RATE_HZ
from workers.video import VideoFile

_SIZE = (960, 540)
_BUSY_S = ((10.2, 15.2), (0.0, 5.2))
"""The parts of the footage in which Eileen Collins walks by; in between she is away for a second or two."""
_START_S, _END_S = 120.0, 60.0


def compose(path: Path) -> Path:
    """Footage for a loop in which both people come by all the time."""
    studio = Studio()
    numbers = [
        number for from_s, to_s in _BUSY_S for number in range(round(from_s * RATE_HZ), round(to_s * RATE_HZ))
    ]
    with VideoFile(path, *_SIZE) as video:
        for at, number in enumerate(numbers):
            small = cv2.resize(studio.frame(number), _SIZE, interpolation=cv2.INTER_AREA)
            video.write(small, at * 1_000_000_000 // RATE_HZ)  # type: ignore[arg-type]
    return path


def environment_of(models: Path | None, data: Path) -> dict[str, str]:
    """In which the program runs: its own data folder, and the models of the assets or its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PINWATCH_")}
    theirs = {} if models is None else {"PINWATCH_MODELS": str(models), **supplied.ENVIRONMENT}
    return {**kept, **theirs, "PINWATCH_DATA": str(data), "COLUMNS": "160"}


def run(environment: Mapping[str, str], *arguments: object, must: bool = True) -> str:
    """Run a verb to its end; what it printed. Where it need not succeed that may be nothing."""
    command = [str(Path(sys.executable).with_name("pinwatch")), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0 or not must, done.stderr
    return done.stdout


class Console:
    """The running program.

    Attributes:
        origin: Where it is.
        link: With which the first administrator comes to be.
    """

    def __init__(self, process: subprocess.Popen[str], said: Path, origin: str, link: str) -> None:
        self._process, self._said, self.origin, self.link = process, said, origin, link

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def stop(self) -> tuple[int, str]:
        """As Ctrl-C does; its status, and all that it said on standard error."""
        self._process.send_signal(signal.SIGINT)
        code = self._process.wait(_END_S)
        return code, self._said.read_text()


@contextmanager
def console(environment: Mapping[str, str], folder: Path, *arguments: object) -> Iterator[Console]:
    """Start it, and see that it ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = folder / "console.log"
    command = [
        str(Path(sys.executable).with_name("pinwatch")),
        "console",
        "--port",
        str(port),
        *map(str, arguments),
    ]
    with said.open("w") as err:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=err, text=True)
    killer = threading.Timer(_START_S, process.kill)
    killer.start()
    try:
        assert process.stdout is not None
        link = process.stdout.readline().strip()
        killer.cancel()
        assert re.search(r"/welcome/\S+$", link), said.read_text()
        yield Console(process, said, f"http://127.0.0.1:{port}", link)
    finally:
        killer.cancel()
        if process.poll() is None:
            process.kill()
        process.communicate()
