"""The wall for long: cameras over RTSP, a browser and programs that watch; nothing is lost or piles up.

By hand: ``python -m tests.browser.wall_soak --seconds 600`` (needs the RTSP server's packages and Chromium).

The time is in the pixels of the footage, so the age of a picture is that of what it shows: encoding, network,
decoding, detection, scaling and the way to the client are all in it.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil
from playwright.sync_api import Page
from sqlalchemy import select

from bench.burnt import read_back
from bench.wall_client import listen
from gallery.database import Database
from gallery.tables import sightings
from pipeline.clock import SystemClock
from tests.browser.chromium import running
from tests.browser.program import Console, compose, console, environment_of, run
from tests.browser.watched import Watched
from tests.rtsp.camera import RtspServer
from workers.console.access.roles import Permission
from workers.console.access.tokens import ApiTokens
from workers.console.access.users import Users
from workers.live.tiles import unpack_tile

NAME, PASSWORD = "Margaret", "a quiet evening shift"
WIDTH = 320
LIMIT_MS = 500.0
"""Older pictures are not what anybody calls live, at the 99th percentile."""
_READ_EVERY, _WARM_S, _SETTLE_S, _PATIENCE_S = 5, 15.0, 4.0, 180.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of the wall; `rate_hz`: pictures a second of each camera that are looked at."""

    cameras: int = 8
    clients: int = 19
    seconds: float = 600.0
    rate_hz: float = 3.0

    def names(self) -> list[str]:
        return [f"camera{number}" for number in range(self.cameras)]


@dataclass
class Heard:
    """What a client got: ages by the pixels in ms, pictures by camera, events by number, decisions."""

    ages_ms: list[float] = field(default_factory=list)
    pictures: dict[str, int] = field(default_factory=dict)
    events: list[int] = field(default_factory=list)
    decisions: set[str] = field(default_factory=set)
    gaps: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """How it went.

    Attributes:
        p50_ms, p99_ms: Age of pictures.
        rate_hz: Pictures a second of each camera at each client.
        events: How many there were between the first and the last that everybody could hear.
        lost: How many of them somebody did not get, over all clients.
        untold: Decisions in the database that nobody was told of.
        minutes_mib: Memory of the console, median of each minute.
        early_mib, late_mib: The same, of the first and the last fifth.
        page_mib: The browser's, of the page, in the end.
        complaints: Of the browser.
    """

    p50_ms: float
    p99_ms: float
    rate_hz: float
    events: int
    lost: int
    untold: int
    minutes_mib: tuple[float, ...]
    early_mib: float
    late_mib: float
    page_mib: float
    complaints: tuple[str, ...]

    @property
    def nothing_lost(self) -> bool:
        return self.events > 0 and self.lost == self.untold == 0 and not self.complaints

    @property
    def flat(self) -> bool:
        """Whether memory stays as it is."""
        return self.late_mib < 1.05 * self.early_mib + 10

    def __str__(self) -> str:
        return "\n".join(
            (
                f"picture age by the pixels: p50 {self.p50_ms:.0f} ms, p99 {self.p99_ms:.0f} ms",
                f"pictures: {self.rate_hz:.1f} a second of each camera at each client",
                f"events: {self.events}, {self.lost} lost over all clients; decisions untold: {self.untold}",
                f"memory: {self.early_mib:.0f} MiB in the first fifth, {self.late_mib:.0f} MiB in the last",
                f"memory by the minute, MiB: {' '.join(f'{size:.0f}' for size in self.minutes_mib)}",
                f"memory of the page: {self.page_mib:.0f} MiB",
                *self.complaints,
            )
        )


def watch(address: str, secret: str, load: Load, results: multiprocessing.Queue[Heard]) -> None:
    """A client, until the console ends."""
    heard = Heard()
    listen(
        address,
        secret,
        dict.fromkeys(load.names(), WIDTH),
        take=functools.partial(take, heard),
        look=functools.partial(look, heard),
        warm_s=_WARM_S,
    )
    results.put(heard)


def take(heard: Heard, event: dict[str, Any]) -> None:
    heard.gaps += event["kind"] == "gap"
    if event["kind"] != "state" and "id" in event:
        heard.events.append(event["id"])
    if event["kind"] == "sighting":
        heard.decisions.add(event["decision"])


def look(heard: Heard, message: bytes, number: int) -> None:
    now_ns = time.time_ns()
    tile, _ = unpack_tile(message)
    heard.pictures[tile.camera_id] = heard.pictures.get(tile.camera_id, 0) + 1
    if number % _READ_EVERY == 0:
        heard.ages_ms.append((now_ns - read_back(tile.jpeg)) / 1e6)


def soak(load: Load, models: Path | None, folder: Path) -> Result:
    """Run it, and say how it went."""
    data = folder / "data"
    environment = {**environment_of(models, data), "PINWATCH_CANARY__ENABLED": "false"}
    footage = compose(folder / "footage.mp4")
    with RtspServer(footage, main=(640, 360), gop=25, burn=True) as camera:
        for name in load.names():
            run(environment, "cameras", "add", name, camera.url(), "--rate-limit", load.rate_hz)
        with console(environment, folder) as program, running() as browser:
            shown = Watched(browser.new_context(viewport={"width": 1440, "height": 900}), program.origin)
            begin(shown.page, program.link, load)
            with watching(program, secret_of(data), load) as results:
                before = decided(data)
                sizes_mib = memory(program.pid, load.seconds)
                told = decided(data) - before
                time.sleep(_SETTLE_S)  # what was decided just now is on its way
                page_mib = shown.page.evaluate("performance.memory.usedJSHeapSize") / 2**20
                complaints = tuple(shown.complaints)
                shown.page.close()
                program.stop()
                heard = [results.get(timeout=_PATIENCE_S) for _ in range(load.clients)]
    return judge(load, heard, told, sizes_mib, page_mib=page_mib, complaints=complaints)


def begin(page: Page, link: str, load: Load) -> None:
    """The first administrator watches."""
    page.goto(link)
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/live")
    moving = f"() => document.querySelectorAll('.tile.live').length === {load.cameras}"
    page.wait_for_function(moving, timeout=_PATIENCE_S * 1000)


def secret_of(data: Path) -> str:
    """A token that may watch and hear who is seen."""
    now_ns = SystemClock().now_ns
    database = Database.open(data)
    try:
        user = Users(database, now_ns).named(NAME)
        assert user is not None
        scopes = [Permission.READ_LIVE, Permission.READ_SIGHTINGS]
        return ApiTokens(database, now_ns).issue(user.id, "soak", scopes, 1)[1]
    finally:
        database.close()


def decided(data: Path) -> set[str]:
    """All decisions so far."""
    database = Database.open(data)
    try:
        with database.read() as connection:
            return set(connection.execute(select(sightings.c.decision_id)).scalars())
    finally:
        database.close()


@contextmanager
def watching(program: Console, secret: str, load: Load) -> Iterator[multiprocessing.Queue[Heard]]:
    """Clients in processes of their own, all connected."""
    spawn = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[Heard] = spawn.Queue()
    address = f"ws://{urlsplit(program.origin).netloc}/live/socket"
    clients = [
        spawn.Process(target=watch, args=(address, secret, load, results)) for _ in range(load.clients)
    ]
    for client in clients:
        client.start()
    try:
        time.sleep(_WARM_S)
        yield results
    finally:
        for client in clients:
            client.join(_PATIENCE_S)
            client.kill()


def memory(pid: int, seconds: float) -> list[float]:
    """The resident set once a second, MiB."""
    process, found, until_s = psutil.Process(pid), [], time.monotonic() + seconds
    while time.monotonic() < until_s:
        time.sleep(1.0)
        found.append(process.memory_info().rss / 2**20)
    return found


def judge(
    load: Load,
    heard: Sequence[Heard],
    told: set[str],
    sizes_mib: Sequence[float],
    *,
    page_mib: float,
    complaints: tuple[str, ...],
) -> Result:
    """What everybody heard against each other, and against the database."""
    ages = np.concatenate([np.asarray(one.ages_ms) for one in heard])
    p50, p99 = np.percentile(ages, [50, 99]) if len(ages) else (np.inf, np.inf)
    first, last = max(one.events[0] for one in heard), min(one.events[-1] for one in heard)
    shared = [{number for number in one.events if first <= number <= last} for one in heard]
    everything = set().union(*shared)
    known = set().union(*(one.decisions for one in heard))
    silent = [name for name in load.names() if any(not one.pictures.get(name) for one in heard)]
    fifth = max(1, len(sizes_mib) // 5)
    count = sum(sum(one.pictures.values()) for one in heard)
    return Result(
        p50_ms=float(p50),
        p99_ms=float(p99),
        rate_hz=count / load.clients / load.cameras / load.seconds,
        events=len(everything),
        lost=sum(len(everything - one) for one in shared) + sum(one.gaps for one in heard),
        untold=len(told - known),
        minutes_mib=tuple(statistics.median(sizes_mib[at : at + 60]) for at in range(0, len(sizes_mib), 60)),
        early_mib=statistics.median(sizes_mib[:fifth]),
        late_mib=statistics.median(sizes_mib[-fifth:]),
        page_mib=page_mib,
        complaints=(*complaints, *(f"somebody saw nothing of {name}" for name in silent)),
    )


def main() -> None:
    usual = Load()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cameras", type=int, default=usual.cameras)
    parser.add_argument("--clients", type=int, default=usual.clients)
    parser.add_argument("--seconds", type=float, default=usual.seconds)
    parser.add_argument("--rate-hz", type=float, default=usual.rate_hz)
    options = parser.parse_args()
    load = Load(options.cameras, options.clients, options.seconds, options.rate_hz)
    sys.stdout.write(
        f"{load.cameras} cameras at {load.rate_hz:g} a second, {load.clients} clients and a browser\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        result = soak(load, None, Path(folder))
    sys.stdout.write(f"{result}\n")
    sys.exit(not (result.nothing_lost and result.flat and result.p99_ms < LIMIT_MS))


if __name__ == "__main__":
    main()
