"""The wall under load: how old pictures are when they arrive, whether an event is lost, and what memory does.

    python -m bench.live_wall [--cameras 8] [--clients 20] [--seconds 60] [--width 320] [--source-hz 25]

Synthetic cameras burn the time into their pictures; a console on a real port shows them to clients in
processes of their own, each of which watches all cameras and reads the time back from the pixels of one
picture in ten (the header says it for all). Ten events a second are announced. Exits with 1 if one is lost.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.burnt import burn, read_back
from bench.errors import in_one_line
from bench.wall_client import listen
from pipeline.clock import SystemClock
from pipeline.types import Frame
from workers.build import Context
from workers.console.access.roles import Permission, Role
from workers.console.server import ConsoleServer
from workers.console.wiring import console_of
from workers.live.hub import LiveHub
from workers.live.preview import Preview
from workers.live.tiles import unpack_tile

EVENTS_HZ = 10.0
_HOST, _READ_EVERY, _WARM_S, _LATE_S = "127.0.0.1", 10, 3.0, 3.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked for."""

    cameras: int
    clients: int
    seconds: float
    width: int
    source_hz: float

    def names(self) -> list[str]:
        return [f"camera{number}" for number in range(self.cameras)]


@dataclass
class Heard:
    """What a client got; ages in milliseconds."""

    said_ms: list[float] = field(default_factory=list)
    burnt_ms: list[float] = field(default_factory=list)
    events: set[int] = field(default_factory=set)
    gaps: int = 0


def film(name: str, rate_hz: float, preview: Preview, stop: threading.Event) -> None:
    """One camera: noise that does not compress well, with the time in it."""
    noise = np.random.default_rng(len(name)).integers(60, 200, (90, 160, 3), np.uint8)
    picture = noise.repeat(8, axis=0).repeat(8, axis=1)
    begun_ns, due_s = time.time_ns(), time.monotonic()
    while not stop.is_set():
        image, now_ns = picture.copy(), time.time_ns()
        burn(image, now_ns)
        preview(Frame(name, 1, now_ns - begun_ns, now_ns, image), ())
        due_s += 1 / rate_hz
        stop.wait(max(0.0, due_s - time.monotonic()))


def announce(hub: LiveHub, stop: threading.Event, count: list[int]) -> None:
    while not stop.wait(1 / EVENTS_HZ):
        hub.announce("camera", "camera0", {"state": "live", "since_ns": 0, "detail": "", "n": count[0]})
        count[0] += 1


def watch(port: int, secret: str, load: Load, results: multiprocessing.Queue[Heard]) -> None:
    """A client, until the console ends."""
    heard = Heard()
    listen(
        f"ws://{_HOST}:{port}/live/socket",
        secret,
        dict.fromkeys(load.names(), load.width),
        take=functools.partial(take, heard),
        look=functools.partial(look, heard),
        warm_s=_WARM_S,
    )
    results.put(heard)


def take(heard: Heard, event: dict[str, Any]) -> None:
    heard.gaps += event["kind"] == "gap"
    if isinstance(number := event.get("n"), int):
        heard.events.add(number)


def look(heard: Heard, message: bytes, number: int) -> None:
    now_ns = time.time_ns()
    tile, _ = unpack_tile(message)
    assert tile.captured_at_ns is not None
    heard.said_ms.append((now_ns - tile.captured_at_ns) / 1e6)
    if number % _READ_EVERY == 0:
        heard.burnt_ms.append((now_ns - read_back(tile.jpeg)) / 1e6)


@contextmanager
def serving(folder: Path) -> Iterator[tuple[LiveHub, int, str]]:
    """A console with one user and a token."""
    context = Context({})
    context.override(data=folder)
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port = int(probe.getsockname()[1])
    made = console_of(context, _HOST, port)
    user = made.access.users.add("bench", Role.ADMINISTRATOR, ())
    _, secret = made.access.tokens.issue(user.id, "bench", [Permission.READ_LIVE], 1)
    server = ConsoleServer(made.app, _HOST, port, on_stop=made.hub.close)
    serving_thread = threading.Thread(target=server.serve)
    serving_thread.start()
    try:
        yield made.hub, port, secret
    finally:
        server.stop()
        serving_thread.join()
        context.close()


def measure(load: Load, folder: Path) -> bool:
    """Whether nothing was lost."""
    spawn = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[Heard] = spawn.Queue()
    stop, count = threading.Event(), [0]
    with serving(folder) as (hub, port, secret), Preview(hub, SystemClock()) as preview:
        run = functools.partial(threading.Thread, daemon=True)
        cameras = [run(target=film, args=(name, load.source_hz, preview, stop)) for name in load.names()]
        for camera in cameras:
            camera.start()
        clients = [
            spawn.Process(target=watch, args=(port, secret, load, results)) for _ in range(load.clients)
        ]
        for client in clients:
            client.start()
        if not reached(lambda: hub.watching == load.clients, 120):
            raise SystemExit("the clients do not come")
        announcer = run(target=announce, args=(hub, stop, count))
        announcer.start()
        sizes_mib = sizes(load.seconds)
        stop.set()
        announcer.join()
        time.sleep(_LATE_S)
    heard = [results.get(timeout=60) for _ in clients]
    for client in clients:
        client.join()
    return report(load, heard, count[0], sizes_mib)


def reached(condition: object, patience_s: float) -> bool:
    assert callable(condition)
    deadline = time.monotonic() + patience_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(condition())


def sizes(seconds: float) -> list[float]:
    """The resident set once a second, MiB."""
    process, found = psutil.Process(), []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(min(1.0, seconds))
        found.append(process.memory_info().rss / 2**20)
    return found


def report(load: Load, heard: Sequence[Heard], announced: int, sizes_mib: Sequence[float]) -> bool:
    said = np.concatenate([np.asarray(one.said_ms) for one in heard])
    burnt = np.concatenate([np.asarray(one.burnt_ms) for one in heard])
    lost = sum(announced - len(one.events) for one in heard)
    rate_hz = len(said) / load.clients / load.cameras / max(1.0, load.seconds - _WARM_S)
    print(f"{load.cameras} cameras, {load.clients} clients, {load.width} px, {load.seconds:.0f} s")
    print(f"pictures: {len(said)}, {rate_hz:.1f} a second of each camera at each client")
    for what, ages in (("by the pixels", burnt), ("by the header", said)):
        p50, p99 = np.percentile(ages, [50, 99]) if len(ages) else (np.nan, np.nan)
        print(f"picture age {what}: p50 {p50:.0f} ms, p99 {p99:.0f} ms")
    print(
        f"events: {announced} announced, {lost} lost over all clients, {sum(one.gaps for one in heard)} gaps"
    )
    settled = sizes_mib[min(len(sizes_mib) - 1, 10)]
    print(f"memory: {settled:.0f} MiB after 10 s, {sizes_mib[-1]:.0f} MiB in the end", flush=True)
    return lost == 0


@in_one_line
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--width", type=int, default=320, choices=(320, 640, 1280))
    parser.add_argument("--source-hz", type=float, default=25.0)
    options = parser.parse_args()
    load = Load(options.cameras, options.clients, options.seconds, options.width, options.source_hz)
    with tempfile.TemporaryDirectory() as folder:
        whole = measure(load, Path(folder))
    sys.exit(not whole)


if __name__ == "__main__":
    main()
