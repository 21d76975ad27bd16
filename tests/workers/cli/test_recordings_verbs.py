"""`pinwatch recordings`, verb by verb."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from typer.testing import CliRunner, Result

from audit.recording.library import Recordings
from pipeline.errors import PinwatchError, SourceNotFound, UsageError
from pipeline.sources.file import FileSource
from tests.audit.recording.footage import (
    CAMERA,
    SECOND_NS,
    Told,
    pixels,
    play,
    record,
    recorder,
    shown,
    write_clip,
)
from workers.build import Context
from workers.cli.recordings import app

Pinwatch = Callable[..., Result]

START = "2023-11-14T22:13:20.000000Z"
"""`START_NS`, as people write it."""


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4")


@pytest.fixture
def data(tmp_path: Path, clip: Path) -> Path:
    """Six seconds of two cameras in segments of two seconds, from `START` on."""
    for camera in (CAMERA, "yard"):
        record(clip, tmp_path / "data", camera_id=camera)
    return tmp_path / "data"


@pytest.fixture
def recordings(data: Path) -> Iterator[Pinwatch]:
    """``recordings("list", ...)`` runs the verb; our errors are raised, as they reach the program's end."""
    contexts: list[Context] = []

    def run(*arguments: str) -> Result:
        environment = {"PINWATCH_CONFIG": str(data / "pinwatch.yaml")}
        context = Context(environment=environment if (data / "pinwatch.yaml").exists() else {})
        context.override(data=data)
        contexts.append(context)
        result = CliRunner().invoke(app, arguments, obj=context)
        if isinstance(result.exception, PinwatchError):
            raise result.exception
        return result

    yield run
    for context in contexts:
        context.close()


def at(second: float) -> str:
    return f"2023-11-14T22:13:{20 + second:09.6f}Z"


def listed(recordings: Pinwatch, *options: str) -> list[dict[str, Any]]:
    rows = json.loads(recordings("list", "--json", *options).stdout)
    assert isinstance(rows, list)
    return rows


def test_list_says_what_there_is(recordings: Pinwatch) -> None:
    rows = listed(recordings)
    assert [(row["camera"], row["first_pts_ns"] // SECOND_NS) for row in rows] == [
        *((CAMERA, second) for second in (0, 2, 4)),
        *(("yard", second) for second in (0, 2, 4)),
    ]
    first = rows[0]
    assert (first["first_captured_at"], first["last_captured_at"]) == (START, at(1.9))
    assert (first["frames"], first["codec"], first["held"], first["cut_off"]) == (20, "h264", False, False)
    assert Path(first["file"]).is_file()
    table = recordings("list", "--camera", "yard").stdout
    assert START in table
    assert CAMERA not in table
    assert "3 segments" in table


def test_list_by_time(recordings: Pinwatch) -> None:
    def seconds(*options: str) -> list[int]:
        rows = listed(recordings, "--camera", CAMERA, *options)
        return [row["first_pts_ns"] // SECOND_NS for row in rows]

    assert seconds("--since", at(2.5)) == [2, 4]
    assert seconds("--until", at(2)) == [0]
    assert seconds("--since", at(1.95), "--until", at(4)) == [2]
    assert seconds("--since", "2023-11-15") == []
    with pytest.raises(UsageError, match="yesterday"):
        recordings("list", "--since", "yesterday")


def test_check_finds_harm_and_names_it(recordings: Pinwatch, data: Path) -> None:
    done = recordings("check")
    assert done.exit_code == 0
    assert "6 segments checked: all are as they were" in done.stdout
    segment = Recordings(data).segments("yard")[1]
    raw = bytearray(segment.path.read_bytes())
    raw[len(raw) // 2] ^= 1
    segment.path.write_bytes(raw)
    done = recordings("check")
    assert done.exit_code == 1
    assert str(segment.path) in done.stderr.replace("\n", "")
    assert "1 are not as they were" in done.stdout
    assert recordings("check", "--camera", CAMERA).exit_code == 0


def test_check_closes_what_a_crash_left(recordings: Pinwatch, data: Path) -> None:
    Recordings(data).segments()[2].paths.record.unlink()
    assert len(listed(recordings)) == 5
    done = recordings("check")
    assert done.exit_code == 0
    assert "1 segments were cut off" in done.stdout
    assert [row["cut_off"] for row in listed(recordings)] == [False, False, True, False, False, False]


@pytest.mark.parametrize("harm", [lambda index: index.unlink(), lambda index: index.write_bytes(b"no index")])
def test_check_tells_of_what_cannot_be_closed(
    recordings: Pinwatch, data: Path, harm: Callable[[Path], None]
) -> None:
    segment = Recordings(data).segments()[2]
    segment.paths.record.unlink()
    harm(segment.paths.index)
    done = recordings("check")
    assert done.exit_code == 1
    assert f"the footage {segment.path} has no index" in done.stderr.replace("\n", "")
    assert "6 segments checked: 1 are not as they were" in done.stdout
    assert segment.path.exists()


def test_check_lets_be_what_is_being_written(recordings: Pinwatch, data: Path, tmp_path: Path) -> None:
    into = recorder(data, Told(), segment_s=1000, camera_id="hall")
    play(write_clip(tmp_path / "hall.mp4", 30), into)
    with av.open(str(tmp_path / "hall.mp4")) as container:
        into.open_stream(container.streams.video[0])
        for number, packet in enumerate(container.demux(video=0)):
            into.packet(packet)
            into.frame(number, 1, number * SECOND_NS // 10, None)
        deadline_s = time.monotonic() + 10
        while not list((data / "recordings" / "hall" / "1").glob("*.mp4")):
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        done = recordings("check")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "7 segments checked: all are as they were" in done.stdout
    into.close()
    assert "8 segments checked" in recordings("check").stdout


def test_holds(recordings: Pinwatch) -> None:
    times = ("--from", at(2), "--to", at(2.5))
    done = recordings("hold", "add", "--camera", CAMERA, *times, "--reason", "case 7", "--by", "Ada")
    (hold,) = json.loads(recordings("hold", "list", "--json").stdout)
    assert hold["id"] in done.stdout
    assert (hold["camera"], hold["from"], hold["to"]) == (CAMERA, at(2), at(2.5))
    assert (hold["reason"], hold["by"]) == ("case 7", "Ada")
    assert [row["held"] for row in listed(recordings)] == [False, True, False, False, False, False]
    assert "case 7" in recordings("hold", "list").stdout
    recordings("hold", "release", hold["id"])
    assert json.loads(recordings("hold", "list", "--json").stdout) == []
    with pytest.raises(UsageError, match=hold["id"]):
        recordings("hold", "release", hold["id"])


def test_retain_says_first_and_then_does_it_but_for_what_is_held(recordings: Pinwatch, data: Path) -> None:
    (data / "pinwatch.yaml").write_text("recording:\n  cameras:\n    yard: {max_age_days: 1}\n")
    times = ("--from", at(2), "--to", at(2.5))
    recordings("hold", "add", *times, "--reason", "case 7", "--by", "Ada")
    assert "2 segments would be deleted" in recordings("retain", "--dry-run").stdout
    assert len(listed(recordings)) == 6
    done = recordings("retain")
    assert "2 segments deleted" in done.stdout
    assert "age" in done.stdout
    left = [(row["camera"], row["first_pts_ns"] // SECOND_NS) for row in listed(recordings)]
    assert left == [(CAMERA, 0), (CAMERA, 2), (CAMERA, 4), ("yard", 2)]
    assert "0 segments deleted" in recordings("retain").stdout


def exported(recordings: Pinwatch, out: Path, start: float, end: float) -> Result:
    times = ("--from", at(start), "--to", at(end))
    return recordings("export", "--camera", CAMERA, *times, "--out", str(out))


def test_export_over_borders_is_clipped_at_key_frames(
    recordings: Pinwatch, clip: Path, tmp_path: Path
) -> None:
    """Key frames are a second apart, segments two."""
    out = tmp_path / "part.mp4"
    done = exported(recordings, out, 1.5, 4.5)
    assert done.exit_code == 0
    assert f"40 frames from {at(1)} to {at(4.9)}" in done.stdout
    assert "nothing was recorded" not in done.stdout
    frames = list(FileSource(out, threads=1).frames())
    assert [pixels(frame) for frame in frames] == [digest for _, digest in shown(clip)[10:50]]
    assert [round(frame.pts_ns / SECOND_NS, 3) for frame in frames] == [n / 10 for n in range(40)]
    assert [path.name for path in tmp_path.glob("part*")] == ["part.mp4"]


def test_export_of_everything_has_every_packet(recordings: Pinwatch, clip: Path, tmp_path: Path) -> None:
    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(video=0) if packet.size]

    for name in ("all.mp4", "all.mkv"):
        exported(recordings, tmp_path / name, 0, 30)
        assert packets(tmp_path / name) == packets(clip)


def test_export_says_where_nothing_was_recorded(
    recordings: Pinwatch, data: Path, clip: Path, tmp_path: Path
) -> None:
    """The segment in the middle has gone, and an hour later the camera was connected again."""
    middle = Recordings(data).segments(CAMERA)[1]
    for path in (middle.path, middle.paths.index, middle.paths.record):
        path.unlink()
    record(clip, data, epoch=4, clock_offset_s=3600)
    out = tmp_path / "gaps.mp4"
    times = ("--from", START, "--to", "2023-11-15")
    done = recordings("export", "--camera", CAMERA, *times, "--out", str(out))
    assert f"nothing was recorded from {at(1.9)} to {at(4)}" in done.stdout
    assert f"nothing was recorded from {at(5.9)} to 2023-11-14T23:13:20" in done.stdout
    frames = list(FileSource(out, threads=1).frames())
    digests = [digest for _, digest in shown(clip)]
    assert [pixels(frame) for frame in frames] == digests[:20] + digests[40:] + digests
    assert frames[-1].pts_ns / SECOND_NS == pytest.approx(9.9, abs=0.5), "gaps take no time in the file"


def test_export_refuses_by_name(recordings: Pinwatch, data: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="no footage of gate from that time"):
        exported(recordings, tmp_path / "x.mp4", 20, 30)
    with pytest.raises(UsageError, match="exchange"):
        exported(recordings, tmp_path / "x.mp4", 2, 1)
    with pytest.raises(UsageError, match=r"x\.avi must end in"):
        exported(recordings, tmp_path / "x.avi", 1, 2)
    (tmp_path / "there.mp4").touch()
    with pytest.raises(UsageError, match=r"there\.mp4 is there already"):
        exported(recordings, tmp_path / "there.mp4", 1, 2)
    assert (tmp_path / "there.mp4").stat().st_size == 0


def test_export_refuses_a_stream_that_changed(recordings: Pinwatch, data: Path, tmp_path: Path) -> None:
    larger = write_clip(tmp_path / "larger.mp4", size=(192, 112))
    record(larger, data, epoch=1, clock_offset_s=10)
    with pytest.raises(UsageError, match="changed its stream at 2023-11-14T22:13:30"):
        exported(recordings, tmp_path / "x.mp4", 0, 20)
    assert not list(tmp_path.glob("x.mp4*"))
    exported(recordings, tmp_path / "x.mp4", 10, 20)


def test_export_of_what_mp4_does_not_take(data: Path, recordings: Pinwatch, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.webm", codec="libvpx", options={"cpu-used": "8"})
    record(clip, data, camera_id=CAMERA, epoch=1, clock_offset_s=100)
    times = ("--from", "2023-11-14T22:15:00Z", "--to", "2023-11-14T22:16:00Z")
    with pytest.raises(UsageError, match=r"vp8.*\.mkv"):
        recordings("export", "--camera", CAMERA, *times, "--out", str(tmp_path / "x.mp4"))
    recordings("export", "--camera", CAMERA, *times, "--out", str(tmp_path / "x.mkv"))
    frames = list(FileSource(tmp_path / "x.mkv", threads=1).frames())
    assert [pixels(frame) for frame in frames] == [digest for _, digest in shown(clip)]


def test_where_nothing_was_recorded_every_verb_says_so(tmp_path: Path) -> None:
    context = Context(environment={})
    context.override(data=tmp_path / "none")
    for verb in ("list", "check", "retain"):
        done = CliRunner().invoke(app, [verb], obj=context)
        assert done.exit_code == 0, verb
        assert "0 segments" in done.stdout
    context.close()
