"""A real RTSP server on this machine that tests can kill, freeze and start again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

from pipeline.seams import FrameSource
from pipeline.types import Frame

FRAMES = 250
"""Of the numbered footage that the fixtures' servers play."""

GUARD_S = 40.0
Guard = Callable[[FrameSource], FrameSource]

SERVER = Path(__file__).with_name("server.py")
Mount = Literal["main", "sub"]


def first(frames: Iterable[Frame], holds: Callable[[Frame], bool]) -> Frame:
    """The first frame for which `holds`, if it comes in time."""
    deadline_s = time.monotonic() + GUARD_S
    for frame in frames:
        if holds(frame):
            return frame
        assert time.monotonic() < deadline_s, "the frame that was waited for never came"
    raise AssertionError("the frames ended before the one that was waited for")


class RtspServer:
    """``with RtspServer(video) as server: server.url()``: plays `video` in a loop on 127.0.0.1.

    ``/main`` has the size `main`, ``/sub`` the size `sub`; both show the same frame at the same moment.
    The port is free, and the same after every restart.

    Args:
        video: File to play.
        main: Width and height in px of the main stream; `sub` the same of the substream.
        user: Asked for, with `password`, if given.
        gop: Frames from one key frame to the next.
        burn: Write the time into the pixels; see :func:`bench.burnt.read_back`.
    """

    def __init__(
        self,
        video: Path,
        *,
        main: tuple[int, int] = (640, 360),
        sub: tuple[int, int] = (320, 180),
        user: str | None = None,
        password: str | None = None,
        gop: int = 12,
        burn: bool = False,
    ) -> None:
        self._arguments = [str(video), f"--main={main[0]}x{main[1]}", f"--sub={sub[0]}x{sub[1]}"]
        self._arguments += [f"--gop={gop}", *(["--burn"] if burn else [])]
        if user is not None:
            self._arguments += [f"--user={user}", f"--password={password}"]
        self._user, self._password = user, password
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self) -> None:
        """Listen; returns when it does."""
        self._process = subprocess.Popen(
            ["/usr/bin/python3", str(SERVER), *self._arguments, f"--port={self.port}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        word, _, port = self._answer().partition(" ")
        assert word == "ready", f"the RTSP server did not start: {word}"
        self.port = int(port)

    def kill(self) -> None:
        """Die without a word, as by a power cut of its process: the sockets close."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.communicate()
            self._process = None

    def freeze(self) -> None:
        """Stop sending with all sockets open."""
        os.kill(self._running.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after :meth:`freeze`."""
        os.kill(self._running.pid, signal.SIGCONT)

    def pause(self, mount: Mount) -> None:
        """Send no more pictures on one stream, with its connections open."""
        self._order(f"pause /{mount}")

    def resume(self, mount: Mount) -> None:
        """Go on after :meth:`pause`."""
        self._order(f"resume /{mount}")

    def url(self, mount: str = "main", *, user: str | None = None, password: str | None = None) -> str:
        """The stream's address, with the right credentials unless others are given."""
        user, password = user or self._user, password or self._password
        login = f"{quote(user, safe='')}:{quote(password or '', safe='')}@" if user else ""
        return f"rtsp://{login}127.0.0.1:{self.port}/{mount}"

    @property
    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None, "the server does not run"
        return self._process

    def _order(self, text: str) -> None:
        stdin = self._running.stdin
        assert stdin is not None
        stdin.write(text + "\n")
        stdin.flush()
        assert self._answer() == "done"

    def _answer(self) -> str:
        stdout = self._running.stdout
        assert stdout is not None
        return stdout.readline().strip()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
