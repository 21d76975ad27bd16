"""The pipeline inside the console: real database, cameras and clips, with networks that see the same face."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from audit.ledger.entries import Kind, decode_entry
from audit.ledger.folder import LedgerFolder
from audit.ledger.frames import beginning, read_frames
from audit.recording.library import Recordings
from audit.recording.replay import RecordedSource
from audit.search.sightings import SightingFilter, SightingSearch
from gallery.database import Database
from pipeline.errors import SourceNotFound, StorageError, UsageError
from pipeline.seams import Detector, FaceEmbedder, FrameSource
from pipeline.sources.select import SourceSpec
from pipeline.sources.tap import PacketTap
from pipeline.types import Frame, Sighting, TemplateKey, Thresholds
from tests.workers.test_steps import KEY, MeanColourEmbedder
from tests.workers.test_watch import OneFaceDetector, ScriptedSource
from workers import live_reader
from workers.build import Context, WatchRequest
from workers.camera_settings import make_camera
from workers.console.embedded import EmbeddedPipeline, LiveRequest
from workers.live.hub import LiveHub
from workers.live.state import CameraState
from workers.recording import Recording


class Filming(ScriptedSource):
    """A live camera that shows some pictures, and then is looked at until it is closed."""

    live = True

    def frames(self) -> Iterator[Frame]:
        yield from super().frames()
        self.closed.wait()


class Site(Context):
    """A program whose networks are quick, and whose cameras the test opens."""

    def __init__(self, data: Path) -> None:
        super().__init__({})
        self.override(data=data)
        self.cameras_opened: list[ScriptedSource] = []

    def detector(self) -> Detector:
        return OneFaceDetector()

    def embedder(self) -> FaceEmbedder:  # type: ignore[override]
        return MeanColourEmbedder()

    def with_evidence(self, embedder: FaceEmbedder) -> FaceEmbedder:
        return embedder

    def template_key(self) -> TemplateKey:
        return KEY

    def thresholds(self, epoch: int | None = None) -> Thresholds:
        return Thresholds(match=0.7, margin=0.05)

    def source(
        self,
        spec: SourceSpec,
        request: WatchRequest,
        camera_id: str,
        recording: Recording | None = None,
        *,
        video: Callable[[str], PacketTap] | None = None,
    ) -> FrameSource:
        if camera_id.startswith("camera"):
            self.cameras_opened.append(Filming(camera_id, 3))
            return self.cameras_opened[-1]
        return super().source(spec, request, camera_id, recording, video=video)

    def save(self, name: str, **settings: object) -> None:
        camera = make_camera({"name": name, "address": "rtsp://127.0.0.1:1/", **settings})
        self.cameras().add(camera, 0, replace=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_reader, "BEAT_S", 0.1)
    monkeypatch.setattr("workers.console.embedded._LOOK_S", 0.1)


@pytest.fixture
def site(database: Database) -> Iterator[Site]:
    made = Site(database.folder)
    yield made
    made.close()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Half a second of noise in colours."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (128, 160))
    for number in range(5):
        chance = np.random.default_rng(number)
        writer.write(chance.integers(0, 256, (160, 128, 3), np.uint8))
    writer.release()
    return path


class Watching:
    """A pipeline that runs."""

    def __init__(self, site: Site, request: LiveRequest, sinks: Sequence[object] = ()) -> None:
        self._before = set(threading.enumerate())
        self.hub = LiveHub(site.clock.now_ns)
        self.pipeline = EmbeddedPipeline(site, request, self.hub, sinks)  # type: ignore[arg-type]

    def __enter__(self) -> Watching:
        self.pipeline.start()
        return self

    def __exit__(self, *_: object) -> None:
        begun_s = time.monotonic()
        self.pipeline.close()
        assert time.monotonic() - begun_s < 20
        left = {thread.name for thread in set(threading.enumerate()) - self._before}
        assert not {name for name in left if name.startswith(("read-", "pipeline", "preview", "cameras"))}

    def state(self, camera_id: str) -> CameraState | None:
        return {one.camera_id: one.state for one in self.hub.cameras()}.get(camera_id)

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, (self.hub.cameras(), self.hub.state().trouble)
            time.sleep(0.02)


def found(site: Site, **conditions: object) -> tuple[Sighting, ...]:
    wanted = SightingFilter(final=True, **conditions)  # type: ignore[arg-type]
    return tuple(SightingSearch(site.database()).page(wanted, limit=500).sightings)


def test_a_clip_is_played_shown_decided_and_recorded(site: Site, clip: Path) -> None:
    class Sink:
        written: list[Sighting] = []  # noqa: RUF012

        def write(self, sightings: Sequence[Sighting]) -> None:
            self.written += sightings

    sink = Sink()
    with Watching(site, LiveRequest((str(clip),)), [sink]) as watching:
        first = watching.hub.last
        watching.until(lambda: watching.state("clip") is CameraState.ENDED)
        assert watching.pipeline.step_views()
    decided = found(site)
    assert decided
    assert {one.camera_id for one in decided} == {"clip"}
    assert all(one.last_seen_at is not None for one in decided), "it plays a camera: it is seen now"
    assert {one.decision_id for one in decided} <= {one.decision_id for one in sink.written}
    announced = watching.hub.events(first, 10_000).events
    assert {one.body.get("decision") for one in announced} >= {one.decision_id for one in decided}
    site.close()
    ledger = LedgerFolder(site.settings.data / "ledger")
    (writer,) = ledger.writers()
    kinds = [decode_entry(frame).kind for frame in read_frames(ledger.chain(writer), beginning(writer))]
    assert kinds[0] == Kind.SESSION
    assert kinds.count(Kind.DECISION) >= len(decided)
    assert kinds[-2:] == [Kind.DROPS, Kind.CLOSED] or Kind.DROPS in kinds


def test_a_clip_is_played_again_under_another_epoch(site: Site, clip: Path) -> None:
    with Watching(site, LiveRequest((str(clip),), loop=True)) as watching:
        watching.until(lambda: len({one.stream_epoch for one in found(site)}) >= 2)
        assert watching.state("clip") is CameraState.LIVE
    with Watching(site, LiveRequest((str(clip),))) as watching:
        before = {one.stream_epoch for one in found(site)}
        watching.until(lambda: watching.state("clip") is CameraState.ENDED)
    assert len({one.stream_epoch for one in found(site)} - before) == 1, (
        "tracks of one start are not another's"
    )


def test_footage_is_kept_as_it_was_played(site: Site, clip: Path) -> None:
    with Watching(site, LiveRequest((str(clip),), record=True)) as watching:
        watching.until(lambda: watching.state("clip") is CameraState.ENDED)
    (epoch,) = Recordings(site.settings.data).epochs("clip")
    assert {one.stream_epoch for one in found(site)} == {epoch}
    kept = list(RecordedSource(Recordings(site.settings.data), "clip", epoch).frames())
    assert 1 <= len(kept) <= 5
    assert kept[0].captured_at_ns is not None


def test_without_anything_to_watch_no_network_is_loaded_until_a_camera_is_added(site: Site) -> None:
    with Watching(site, LiveRequest()) as watching:
        time.sleep(0.5)
        assert watching.pipeline.running is None
        site.save("camera")
        watching.until(lambda: watching.state("camera") is CameraState.LIVE)


def test_a_camera_that_is_changed_is_opened_anew_and_one_that_is_removed_is_gone(site: Site) -> None:
    site.save("camera1")
    site.save("camera2")
    site.save("camera3", enabled=False)
    with Watching(site, LiveRequest()) as watching:
        watching.until(lambda: watching.state("camera1") and watching.state("camera2") is CameraState.LIVE)
        assert watching.state("camera3") is None
        (first,) = [one for one in site.cameras_opened if one.camera_id == "camera1"]
        site.save("camera1", privacy_masks=[[[0, 0], [1, 0], [1, 1]]])
        watching.until(lambda: sum(one.camera_id == "camera1" for one in site.cameras_opened) == 2)
        assert first.closed.is_set()
        site.cameras().remove("camera2")
        watching.until(lambda: watching.state("camera2") is None)
        site.save("camera3")
        watching.until(lambda: watching.state("camera3") is CameraState.LIVE)
        site.save("camera3", enabled=False)
        watching.until(lambda: watching.state("camera3") is None)
    assert all(one.closed.is_set() for one in site.cameras_opened)


def test_two_consoles_never_read_a_camera_twice(site: Site) -> None:
    site.save("camera1")
    with Watching(site, LiveRequest()) as first:
        first.until(lambda: first.state("camera1") is CameraState.LIVE)
        with Watching(site, LiveRequest()) as second:
            second.until(lambda: second.state("camera1") is CameraState.ELSEWHERE)
            assert len(site.cameras_opened) == 1
            assert first.state("camera1") is CameraState.LIVE


def test_a_sink_that_fails_is_shown_and_tried_again(site: Site, clip: Path) -> None:
    class Full:
        times = 2

        def write(self, sightings: Sequence[Sighting]) -> None:
            if sightings and self.times:
                self.times -= 1
                raise StorageError("the disk is full")

    with Watching(site, LiveRequest((str(clip),)), [Full()]) as watching:
        watching.until(lambda: [one.restarts for one in watching.pipeline.step_views()] == [0, 0, 2])
        watching.until(lambda: found(site) and watching.hub.state().trouble == "")
    assert found(site)


def test_what_cannot_be_put_together_is_shown_and_tried_again(
    site: Site, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.console.embedded._AGAIN_S", 0.1)
    failures = iter([UsageError("there are no thresholds")])
    load = site.embedder

    def embedder() -> FaceEmbedder:
        for error in failures:
            raise error
        return load()

    site.embedder = embedder  # type: ignore[method-assign]
    with Watching(site, LiveRequest((str(clip),), loop=True)) as watching:
        watching.until(lambda: "there are no thresholds" in watching.hub.state().trouble)
        watching.until(lambda: watching.state("clip") is CameraState.LIVE)
        watching.until(lambda: watching.hub.state().trouble == "")


def test_what_is_no_source_is_said_before_anything_is_served(site: Site, clip: Path, tmp_path: Path) -> None:
    def refused(*sources: str) -> EmbeddedPipeline:
        return EmbeddedPipeline(site, LiveRequest(sources), LiveHub(site.clock.now_ns))

    with pytest.raises(SourceNotFound):
        refused(str(tmp_path / "missing.mp4"))
    with pytest.raises(UsageError, match="kept footage"):
        refused("recorded:gate")
    site.save("clip")
    with pytest.raises(UsageError, match="there is a camera clip in the database already"):
        refused(str(clip))
