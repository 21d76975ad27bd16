"""Pictures of cameras that other processes read, for a console: from readers to the hub.

The database says which reader holds which camera and where its pictures are. With each of them there is one
connection, over which only comes what somebody watches.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import TracebackType

import structlog

from pipeline.errors import PinwatchError
from pipeline.seams import Clock
from workers.live.hub import LiveHub
from workers.live.reader_link import LinkEvents, LinkOptions, ReaderLink
from workers.live.relay import Shown
from workers.live.remote_states import LinkState, RemoteStates
from workers.live.tiles import Tile
from workers.preview_places import PreviewPlace

log = structlog.get_logger(__name__)

LOOK_S = 2.0
_CLOSING_S = 3.0


@dataclass(frozen=True, slots=True)
class Site:
    """The cameras of a database.

    Attributes:
        cameras: All that are to be read by somebody.
        places: Who reads each of them.
    """

    cameras: Collection[str] = ()
    places: Mapping[str, PreviewPlace] = field(default_factory=dict)


class RemotePictures:
    """Follows the cameras from reader to reader, in threads of its own.

    Args:
        hub: Who watches what, and where pictures and states go.
        site: What the database says now.
        options: How readers are reached; ``None``: they are not, and only how cameras are is told.
        clock: Time.
        look_s: How often the database is asked.
    """

    def __init__(
        self,
        hub: LiveHub,
        site: Callable[[], Site],
        options: LinkOptions | None,
        clock: Clock,
        look_s: float = LOOK_S,
    ) -> None:
        self._hub, self._options, self._look_s = hub, options, look_s
        self._ask = site
        self._states = RemoteStates(clock)
        self._loop: asyncio.AbstractEventLoop
        self._ended = threading.Event()
        self._site = Site()
        self._links: dict[str, tuple[ReaderLink, asyncio.Task[None]]] = {}
        self._epochs: dict[str, int] = {}
        self._told: set[str] = set()
        self._talking = threading.Thread(target=self._talk, name="remote-pictures", daemon=True)
        self._looking = threading.Thread(target=self._look, name="remote-places", daemon=True)

    def __enter__(self) -> RemotePictures:
        self._loop = asyncio.new_event_loop()
        self._no_more = self._hub.on_wanted(lambda camera: self._soon(self._show))
        self._talking.start()
        self._looking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._no_more()
        self._ended.set()
        self._looking.join(_CLOSING_S)
        self._soon(self._loop.stop)
        self._talking.join(_CLOSING_S)

    @property
    def connected(self) -> int:
        """With how many readers there is a connection."""
        return sum(link.problem is None for link, _ in list(self._links.values()))

    # In the thread that asks the database

    def _look(self) -> None:
        while not self._ended.is_set():
            try:
                site = self._ask()
            except PinwatchError as error:
                log.warning("the database does not say who reads which camera", error=str(error))
            else:
                self._soon(functools.partial(self._follow, site))
            self._ended.wait(self._look_s)

    def _soon(self, work: Callable[[], object]) -> None:
        """In the other thread; not at all when that has ended."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(work)

    # In the thread of the connections

    def _talk(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            tasks = [task for _, task in self._links.values()]
            for task in tasks:
                task.cancel()
            if tasks:
                self._loop.run_until_complete(asyncio.wait(tasks))
        finally:
            self._loop.close()

    def _follow(self, site: Site) -> None:
        """Have one connection with every reader that holds a camera."""
        self._site = site
        self._states.look(site.cameras, site.places)
        places = site.places.values() if self._options else ()
        wanted = {place.url for place in places if place.url is not None}
        for url in self._links.keys() - wanted:
            self._links.pop(url)[1].cancel()
        for url in sorted(wanted - self._links.keys()):
            assert self._options is not None  # else nothing is wanted
            link = ReaderLink(url, self._options, LinkEvents(self._publish, self._report))
            self._links[url] = link, self._loop.create_task(link.run())
        self._show()
        self._report()

    def _show(self) -> None:
        """Ask every reader for what is watched of its cameras."""
        shown: dict[str, dict[str, frozenset[int]]] = {url: {} for url in self._links}
        for camera, place in self._site.places.items():
            widths = self._hub.wanted(camera)
            if widths and place.url in shown:
                shown[place.url][camera] = widths
        for url, (link, _) in self._links.items():
            wanted: Shown = shown[url]
            link.show(wanted)

    def _publish(self, tile: Tile) -> None:
        """A reader that lost a camera may still send what it saw; its successor's epoch is higher."""
        if tile.stream_epoch >= self._epochs.get(tile.camera_id, 0):
            self._epochs[tile.camera_id] = tile.stream_epoch
            self._hub.publish_tile(tile)

    def _report(self) -> None:
        links = {url: LinkState(link.problem, link.states) for url, (link, _) in self._links.items()}
        for status in self._states.statuses(links if self._options else None):
            self._hub.camera_state(status.camera_id, status.state, status.since_ns, status.detail)
        for gone in self._told - set(self._site.cameras):
            self._hub.forget_camera(gone)
        self._told = set(self._site.cameras)
