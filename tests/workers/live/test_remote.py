"""A console's pictures of cameras that other processes read: found, followed, and said to be gone."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline.clock import ManualClock, SystemClock
from pipeline.errors import GalleryBusy
from tests.workers.live.readers import SECRET, FakeReader, until
from workers.leases import LEASE_S
from workers.live.hub import LiveHub
from workers.live.preview_options import client_tls
from workers.live.reader_link import LinkOptions
from workers.live.remote import RemotePictures, Site
from workers.live.remote_states import LinkState, RemoteStates
from workers.live.state import CameraState, CameraStatus
from workers.live.tiles import Tile
from workers.preview_places import PreviewPlace

LOOK_S = 0.05
OPTIONS = LinkOptions(SECRET, client_tls(None), first_pause_s=0.05, longest_pause_s=0.2)


class Watcher:
    """Somebody who looks at one camera, in an event loop of their own; keeps what they saw."""

    def __init__(self, hub: LiveHub, camera: str, width_px: int) -> None:
        self.tiles: list[Tile] = []
        self._hub, self._camera, self._width_px = hub, camera, width_px
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._watch()), daemon=True)
        self._thread.start()

    async def _watch(self) -> None:
        with self._hub.connect(lambda camera: True) as viewer:
            viewer.show({self._camera: self._width_px})
            while not self._ended.is_set():
                self.tiles += (await viewer.take(0.05)).tiles

    def go(self) -> None:
        self._ended.set()
        self._thread.join(10)


@dataclass
class Sites:
    """What the database would say; the test changes it."""

    site: Site = field(default_factory=Site)
    away: bool = False

    def __call__(self) -> Site:
        if self.away:
            raise GalleryBusy("held by another process")
        return self.site

    def place(self, camera: str, url: str | None, reader: str = "one") -> None:
        self.site = Site([camera], {camera: PreviewPlace(reader, 1, url)})


@pytest.fixture
def hub() -> LiveHub:
    return LiveHub(SystemClock().now_ns)


@pytest.fixture
def site() -> Sites:
    return Sites()


@pytest.fixture
def remote(hub: LiveHub, site: Sites) -> Iterator[RemotePictures]:
    with RemotePictures(hub, site, OPTIONS, SystemClock(), LOOK_S) as running:
        yield running


@pytest.fixture
def watch(hub: LiveHub) -> Iterator[Callable[..., Watcher]]:
    with contextlib.ExitStack() as gone:

        def begin(camera: str = "gate", width_px: int = 320) -> Watcher:
            watcher = Watcher(hub, camera, width_px)
            gone.callback(watcher.go)
            return watcher

        yield begin


def state_of(hub: LiveHub, camera: str = "gate") -> CameraStatus | None:
    return next((status for status in hub.cameras() if status.camera_id == camera), None)


def stands(hub: LiveHub, state: CameraState, camera: str = "gate") -> bool:
    found = state_of(hub, camera)
    return found is not None and found.state is state


def test_what_somebody_watches_comes_and_nothing_before_or_after(
    hub: LiveHub, site: Sites, remote: RemotePictures, watch: Callable[..., Watcher]
) -> None:
    with FakeReader() as reader:
        site.place("gate", reader.url)
        until(lambda: stands(hub, CameraState.LIVE), "it is connected")
        assert remote.connected == 1
        assert reader.encoded == 0
        watcher = watch()
        until(lambda: len(watcher.tiles) > 3, "pictures come")
        assert {(tile.camera_id, tile.width_px) for tile in watcher.tiles} == {("gate", 320)}
        assert watcher.tiles[-1].boxes[0].track_id == 7
        wide = watch(width_px=1280)
        until(lambda: wide.tiles, "wide ones as well")
        assert reader.wanted("gate") == {320, 1280}
        assert reader.relay.consoles == 1, "one connection a reader"
        watcher.go()
        wide.go()
        until(lambda: not reader.wanted("gate"), "the reader is told")


def test_a_reader_that_goes_is_said_to_be_gone_since_then_and_found_again(
    hub: LiveHub, site: Sites, remote: RemotePictures, watch: Callable[..., Watcher]
) -> None:
    watcher = watch()
    with FakeReader() as reader:
        port = reader.server.port
        site.place("gate", reader.url)
        until(lambda: watcher.tiles, "pictures come")
        before_ns = SystemClock().now_ns()
    until(lambda: stands(hub, CameraState.LOST), "it is lost")
    lost = state_of(hub)
    assert lost is not None
    assert before_ns <= lost.since_ns <= SystemClock().now_ns()
    assert "its reader" in lost.detail
    with FakeReader(port=port, epoch=2):
        until(lambda: stands(hub, CameraState.LIVE), "it is back")
        until(lambda: watcher.tiles[-1].stream_epoch == 2, "and shows its pictures")
    assert remote.connected in (0, 1)


def test_a_camera_that_moves_is_followed_and_its_old_reader_not_believed(
    hub: LiveHub, site: Sites, remote: RemotePictures, watch: Callable[..., Watcher]
) -> None:
    with FakeReader(epoch=1) as old, FakeReader(epoch=2) as new:
        watcher = watch()
        site.place("gate", old.url)
        until(lambda: watcher.tiles, "pictures of the one")
        site.place("gate", new.url, reader="two")
        until(lambda: watcher.tiles[-1].stream_epoch == 2, "pictures of the other")
        until(lambda: old.relay.consoles == 0, "the old one holds no camera, and is left")
        site.place("gate", old.url)
        until(lambda: old.relay.consoles == 1, "a reader that says it had the camera again")
        until(lambda: old.encoded > 0 and old.wanted("gate") == {320}, "is asked")
        count = len([tile for tile in watcher.tiles if tile.stream_epoch == 1])
        until(lambda: old.encoded > 20, "and sends")
        assert len([tile for tile in watcher.tiles if tile.stream_epoch == 1]) == count
        epochs = [tile.stream_epoch for tile in watcher.tiles]
        assert epochs == sorted(epochs)


def test_a_wrong_secret_is_said_and_no_picture_comes(
    hub: LiveHub, site: Sites, watch: Callable[..., Watcher], capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = LinkOptions("fedcba9876543210", client_tls(None), 0.05, 0.1)
    watcher = watch()
    with FakeReader() as reader, RemotePictures(hub, site, wrong, SystemClock(), LOOK_S):
        site.place("gate", reader.url)
        until(lambda: stands(hub, CameraState.LOST), "it is refused")
        found = state_of(hub)
        assert found is not None
        assert "worker.preview_secret" in found.detail
        assert reader.encoded == 0
    assert not watcher.tiles
    said = "".join(capfd.readouterr())
    assert "fedcba" not in said
    assert SECRET not in said


def test_what_the_reader_says_of_its_cameras_counts(
    hub: LiveHub, site: Sites, remote: RemotePictures
) -> None:
    with FakeReader() as reader:
        reader.relay.camera_state("gate", CameraState.FAILED, 17, "wrong password")
        site.place("gate", reader.url)
        until(lambda: stands(hub, CameraState.FAILED), "as the reader said")
        found = state_of(hub)
        assert found is not None
        assert (found.since_ns, found.detail) == (17, "wrong password")
        reader.relay.camera_state("gate", CameraState.LIVE, 18)
        until(lambda: stands(hub, CameraState.LIVE), "and again")
        assert remote.connected == 1


def test_something_else_than_a_reader_is_no_reason_to_end(
    hub: LiveHub, site: Sites, remote: RemotePictures, watch: Callable[..., Watcher]
) -> None:
    watcher = watch()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        site.place("gate", f"ws://127.0.0.1:{silent.getsockname()[1]}")
        until(lambda: stands(hub, CameraState.STARTING), "it waits")
    with FakeReader() as reader:
        site.place("gate", reader.url)
        until(lambda: watcher.tiles, "another one is reached meanwhile")
    assert remote.connected in (0, 1)


def test_cameras_that_are_removed_are_forgotten_and_an_absent_database_changes_nothing(
    hub: LiveHub, site: Sites, remote: RemotePictures
) -> None:
    with FakeReader() as reader:
        site.place("gate", reader.url)
        until(lambda: stands(hub, CameraState.LIVE), "it is connected")
        site.away = True
        threading.Event().wait(4 * LOOK_S)
        assert stands(hub, CameraState.LIVE)
        assert remote.connected == 1
        site.site, site.away = Site(), False
        until(lambda: state_of(hub) is None, "it is forgotten")
        until(lambda: reader.relay.consoles == 0, "and left")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "reader.pem", folder / "reader.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def test_over_tls_only_whose_certificate_is_known(
    hub: LiveHub, site: Sites, certificate: tuple[Path, Path], watch: Callable[..., Watcher]
) -> None:
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(*certificate)
    watcher = watch()
    with FakeReader(tls=own) as reader:
        assert reader.url.startswith("wss://")
        site.place("gate", reader.url)
        with RemotePictures(hub, site, OPTIONS, SystemClock(), LOOK_S):
            until(lambda: stands(hub, CameraState.LOST), "strangers are not believed")
        assert not watcher.tiles
        trusting = LinkOptions(SECRET, client_tls(certificate[0]), 0.05, 0.1)
        with RemotePictures(hub, site, trusting, SystemClock(), LOOK_S):
            until(lambda: watcher.tiles, "pictures come")


def test_without_a_secret_nobody_is_asked_and_that_is_said(hub: LiveHub, site: Sites) -> None:
    with FakeReader() as reader, RemotePictures(hub, site, None, SystemClock(), LOOK_S):
        site.place("gate", reader.url)
        until(lambda: stands(hub, CameraState.ELSEWHERE), "it says so")
        assert reader.relay.consoles == 0
    found = state_of(hub)
    assert found is not None
    assert "worker.preview_secret" in found.detail


# What is known without a connection


def test_a_lease_whose_counter_stands_still_has_a_dead_reader() -> None:
    clock = ManualClock(1_000_000_000)
    states = RemoteStates(clock)

    def seen(beat: int, url: str | None = "ws://r", **links: LinkState) -> CameraStatus:
        states.look(["gate"], {"gate": PreviewPlace("r", beat, url)})
        (status,) = states.statuses({"ws://r": links["r"]} if links else {})
        return status

    assert seen(1).state is CameraState.STARTING
    assert seen(1, r=LinkState(None, {})).state is CameraState.LIVE
    assert seen(1, url=None).state is CameraState.ELSEWHERE
    began_ns = clock.now_ns()
    clock.advance(LEASE_S + 1)
    dead = seen(1, r=LinkState(None, {}))
    assert (dead.state, dead.detail) == (CameraState.LOST, "its reader r is dead")
    assert dead.since_ns > began_ns
    clock.advance(5)
    assert seen(1).since_ns == dead.since_ns
    assert seen(2, r=LinkState(None, {})).state is CameraState.LIVE
    states.look(["gate"], {})
    (nobody,) = states.statuses({})
    assert (nobody.state, nobody.detail) == (CameraState.LOST, "no reader has taken it")
