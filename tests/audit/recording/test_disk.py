"""A disk that is full, and then is not any more."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from audit.recording.disk import SegmentDisk
from audit.recording.layout import FOLDER
from audit.recording.library import Recordings
from audit.recording.muxing import KeptPacket, StreamTemplate
from audit.recording.options import RecordingOptions
from audit.recording.verifying import verify_all
from audit.recording.writer import NamedFrame, SegmentWriter
from pipeline.clock import ManualClock
from pipeline.sources.channel import DropCounter
from tests.audit.recording.footage import CAMERA, SECOND_NS, Told, play, recorder, replayed, shown, write_clip

FullDisk = Callable[[int], contextlib.AbstractContextManager[None]]


class Bench:
    """A writer that works in the test's own thread, its clock, and a disk whose free room the test says."""

    def __init__(self, data: Path, **options: float) -> None:
        self.told = Told()
        self.drops = DropCounter()
        self.clock = ManualClock()
        self.free_bytes = 1 << 40
        self.free: Callable[[Path], int] = lambda _: self.free_bytes
        how = RecordingOptions(**{"segment_s": 1.5, "reserve_bytes": 1 << 20, **options})  # type: ignore[arg-type]
        disk = SegmentDisk(
            data / FOLDER,
            CAMERA,
            how,
            clock=self.clock,
            on_closed=self.told.closed.append,
            on_error=self.told.error,
            drops=self.drops,
            free=lambda _: self.free(data),
        )
        self.writer = SegmentWriter(CAMERA, disk, how, self.drops)

    # What a reader calls, see PacketRecorder.
    def open_stream(self, stream: object) -> None:
        self.ordinal = 0
        self.writer.open_stream(StreamTemplate(stream))  # type: ignore[arg-type]

    def packet(self, packet: object) -> int:
        ordinal = self.ordinal
        if packet.size:  # type: ignore[attr-defined]
            self.ordinal += 1
            self.writer.packet(KeptPacket.copy(ordinal, packet))  # type: ignore[arg-type]
        return ordinal

    def frame(self, ordinal: int, epoch: int, pts_ns: int, at_ns: int | None) -> None:
        self.writer.frame(NamedFrame(ordinal, epoch, pts_ns, at_ns))

    def close_stream(self) -> None:
        self.writer.close()


def run(bench: Bench, clip: Path, at: dict[int, Callable[[], None]]) -> None:
    """Record `clip`; after the frame of each number in `at` do what stands there. A frame is 0.1 s."""

    def after(epoch: int, pts_ns: int) -> None:
        bench.clock.advance(0.1)
        at.get(round(pts_ns / SECOND_NS * 10), lambda: None)()

    play(clip, bench, after=after)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 120)


def test_a_full_disk_is_told_once_and_recording_goes_on_when_there_is_room(
    tmp_path: Path, clip: Path, full_disk: FullDisk
) -> None:
    bench = Bench(tmp_path, retry_s=1)
    limit = contextlib.ExitStack()
    with limit:
        run(bench, clip, {15: lambda: limit.enter_context(full_disk(3000)), 65: limit.close})
    assert len(bench.told.errors) == 1
    assert CAMERA in bench.told.errors[0]
    assert "goes on by itself" in bench.told.errors[0]
    wanted, found = shown(clip), replayed(tmp_path)
    kept = {pts_ns * 10 // SECOND_NS for pts_ns, _ in found}
    assert set(range(10)) | set(range(80, 120)) <= kept
    assert found == [one for one in wanted if one in found]
    assert list(verify_all(Recordings(tmp_path))) == []
    assert sum(segment.frames for segment in bench.told.closed) == len(found)
    assert sum(segment.packets for segment in bench.told.closed) + bench.drops.as_dict()["disk"] == 120
    assert any(segment.recovered for segment in bench.told.closed)


def test_recording_stops_before_others_have_no_room(tmp_path: Path, clip: Path) -> None:
    bench = Bench(tmp_path, retry_s=1, sync_s=1)

    def free(size_bytes: int) -> Callable[[], None]:
        return lambda: setattr(bench, "free_bytes", size_bytes)

    run(bench, clip, {25: free(1000), 70: free(1 << 30), 100: free(0)})
    assert len(bench.told.errors) == 2  # one for each time
    assert "0 MB left" in bench.told.errors[0]
    assert not any(segment.recovered for segment in bench.told.closed)
    kept = {pts_ns * 10 // SECOND_NS for pts_ns, _ in replayed(tmp_path)}
    assert set(range(25)) | set(range(90, 100)) <= kept
    assert not kept & (set(range(36, 70)) | set(range(111, 120)))


def test_after_a_fault_the_disk_is_left_alone_for_a_while(tmp_path: Path, clip: Path) -> None:
    asked: list[float] = []
    bench = Bench(tmp_path, retry_s=3)

    def nothing(_: Path) -> int:
        asked.append(bench.clock.monotonic_s())
        return 0

    bench.free = nothing
    run(bench, clip, {})
    assert [round(at_s) for at_s in asked] == [0, 3, 6, 9]


def test_a_disk_that_cannot_be_written_never_stops_the_reader(tmp_path: Path, clip: Path) -> None:
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    told = Told()
    into = recorder(tmp_path, told)
    play(clip, into)
    into.close()
    assert len(told.errors) == 1
    assert into.dropped_by_cause == {"disk": 120}


def test_after_a_gap_recording_goes_on_at_the_next_key_frame(tmp_path: Path, clip: Path) -> None:
    bench = Bench(tmp_path, segment_s=1000)
    lost = range(33, 37)
    taken = bench.packet

    def packet(packet: object) -> int:
        if bench.ordinal in lost:
            bench.ordinal += 1
            return bench.ordinal - 1
        return taken(packet)

    bench.packet = packet  # type: ignore[method-assign]
    run(bench, clip, {})
    assert len(bench.told.closed) == 2
    assert bench.drops.as_dict() == {"before_key_frame": 3}
    wanted, found = shown(clip), replayed(tmp_path)
    assert found == [one for one in wanted if one in found]
    kept = {pts_ns * 10 // SECOND_NS for pts_ns, _ in found}
    assert set(range(30)) | set(range(40, 120)) <= kept


def test_packets_before_the_first_key_frame_are_counted(tmp_path: Path, clip: Path) -> None:
    bench = Bench(tmp_path)
    taken = bench.packet

    def packet(packet: object) -> int:
        if bench.ordinal == 0:
            bench.ordinal = 1
            return 0
        return taken(packet)

    bench.packet = packet  # type: ignore[method-assign]
    run(bench, clip, {})
    assert bench.drops.as_dict() == {"before_key_frame": 9}


def test_a_stream_of_which_nothing_was_decoded_has_no_epoch_and_is_counted(
    tmp_path: Path, clip: Path
) -> None:
    bench = Bench(tmp_path)
    bench.frame = lambda *_: None  # type: ignore[method-assign]
    run(bench, clip, {})
    assert bench.drops.as_dict() == {"unnamed": 120}
    assert Recordings(tmp_path).segments() == []


def test_footage_is_kept_when_decoding_stops_in_the_middle(tmp_path: Path, clip: Path) -> None:
    bench = Bench(tmp_path, segment_s=2)
    name = bench.frame
    bench.frame = lambda ordinal, *rest: name(ordinal, *rest) if ordinal < 50 else None  # type: ignore
    run(bench, clip, {})
    assert bench.drops.as_dict() == {}
    assert sum(segment.packets for segment in bench.told.closed) == 120
    assert sum(segment.frames for segment in bench.told.closed) == 50
