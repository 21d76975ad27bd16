"""`pinwatch watch` from the file to the lines that scripts read, in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import pytest

from tests.end_to_end.conftest import Run

pytestmark = pytest.mark.assets

KEYS = {
    *("decision_id", "camera_id", "stream_epoch", "track_id", "outcome", "subject", "candidate"),
    *("similarity", "runner_up", "margin", "first_seen_s", "last_seen_s", "frames"),
    *("detector", "embedder", "purifier", "gallery_epoch", "reason"),
}


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def crowd(assets: Path) -> Path:
    return assets / "clips" / "crowd.mp4"


@pytest.fixture
def short(crowd: Path, tmp_path: Path) -> Path:
    """The first second of the crowd."""
    target = tmp_path / "short.mp4"
    with av.open(str(crowd)) as source, av.open(str(target), "w") as output:
        video = source.streams.video[0]
        stream = output.add_stream_from_template(video)
        for number, packet in enumerate(source.demux(video)):
            if number == 25:
                break
            packet.stream = stream
            output.mux(packet)
    return target


@pytest.fixture
def enrolled(pinwatch: Run, assets: Path, tmp_path: Path) -> list[str]:
    """Four people of the photographs are in the gallery."""
    people = sorted((assets / "faces" / "lfw-dev").iterdir())[:4]
    folder = tmp_path / "people"
    for person in people:
        shutil.copytree(person, folder / person.name)
    done = pinwatch("gallery", "import", folder)
    assert done.code == 0, done.err
    return [person.name for person in people]


def test_a_line_a_track_with_everything_that_scripts_rely_on(
    pinwatch: Run, crowd: Path, tmp_path: Path, enrolled: list[str]
) -> None:
    target = tmp_path / "out" / "sightings.jsonl"
    done = pinwatch("watch", crowd, "--sightings", target, "--started-at", "2026-01-31T08:00:00+01:00")
    assert done.code == 0, done.err
    lines = read_lines(target)
    assert 8 <= len(lines) <= 20
    assert all(line.keys() >= KEYS for line in lines)
    assert len({line["decision_id"] for line in lines}) == len(lines)
    assert {line["outcome"] for line in lines} <= {"unknown", "low_quality"}
    assert all(line["subject"] is None for line in lines)
    seen = [line for line in lines if line["outcome"] == "unknown"]
    assert all(line["candidate"] in enrolled and line["similarity"] is not None for line in seen)
    assert all(line["first_seen_at"].startswith("2026-01-31T07:00:0") for line in lines)
    assert all(0 <= line["first_seen_s"] <= line["last_seen_s"] <= 4.2 for line in lines)
    assert "tracks" in done.out


def test_the_same_run_gives_the_same_bytes(pinwatch: Run, short: Path, tmp_path: Path) -> None:
    outputs = []
    for number in range(2):
        target = tmp_path / f"{number}.jsonl"
        done = pinwatch("watch", short, "--sightings", target, "--run-id", "audit-7")
        assert done.code == 0, done.err
        outputs.append(sorted(target.read_bytes().splitlines()))
    assert outputs[0] == outputs[1] != []


def test_the_annotated_video_plays_and_is_as_long_as_the_footage(
    pinwatch: Run, short: Path, tmp_path: Path
) -> None:
    target = tmp_path / "named.mp4"
    done = pinwatch("watch", short, "--annotate", target, "--crops", tmp_path / "crops")
    assert done.code == 0, done.err
    with av.open(str(target)) as video:
        stream = video.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert sum(1 for _ in video.decode(stream)) == 25
    assert list((tmp_path / "crops").glob("short-0-*.png"))


def test_several_sources_one_of_them_broken(pinwatch: Run, short: Path, tmp_path: Path) -> None:
    """The broken one is named and makes the exit code 1; the other is watched to its end."""
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(short.read_bytes()[:3000])
    taken, same = tmp_path / "short-2.mp4", tmp_path / "elsewhere" / "short.mp4"
    same.parent.mkdir()
    for copy in (taken, same):
        shutil.copy(short, copy)
    done = pinwatch("watch", short, taken, same, "--json")
    assert done.code == 0, done.err
    assert {line["camera_id"] for line in done.lines} == {"short", "short-2", "short-3"}
    assert len({line["decision_id"] for line in done.lines}) == len(done.lines)
    done = pinwatch("watch", short, broken)
    assert done.code == 1
    assert "broken" in done.err


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [("missing.mp4", None, 1), ("text.mp4", b"this is no video\n" * 200, 1), ("empty.mp4", b"", 1)],
)
def test_what_is_no_video_is_refused_by_name(
    pinwatch: Run, tmp_path: Path, name: str, content: bytes | None, code: int
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    done = pinwatch("watch", path)
    assert done.code == code
    assert name in done.err
    assert "Traceback" not in done.err


def test_nothing_to_watch_says_what_to_do(pinwatch: Run) -> None:
    done = pinwatch("watch")
    assert done.code == 2
    assert "pinwatch cameras add" in done.err


def test_an_unknown_configuration_key_is_named_with_its_path(pinwatch: Run, tmp_path: Path) -> None:
    config = tmp_path / "pinwatch.yaml"
    config.write_text("detector:\n  sise_px: 640\n")
    done = pinwatch("watch", tmp_path, "--config", config)
    assert done.code == 2
    assert "detector.sise_px" in done.err
    assert "detector.size_px" in done.err


def test_an_unknown_model_is_named_with_those_there_are(pinwatch: Run, short: Path) -> None:
    done = pinwatch("watch", short, "--embedder", "mobilfacenet")
    assert done.code == 1
    assert "mobilefacenet" in done.err


def test_a_gallery_made_by_another_embedder_is_refused(
    pinwatch: Run, short: Path, enrolled: list[str]
) -> None:
    done = pinwatch("watch", short, "--embedder", "mobilefacenet")
    assert done.code == 1
    assert "gallery reembed" in done.err
    done = pinwatch("gallery", "reembed", "--embedder", "mobilefacenet")
    assert done.code == 0, done.err
    assert pinwatch("watch", short, "--embedder", "mobilefacenet").code == 0


@pytest.mark.parametrize("wanted", [signal.SIGINT, signal.SIGTERM])
def test_stopping_leaves_everything_written(
    environment: dict[str, str], crowd: Path, tmp_path: Path, wanted: signal.Signals
) -> None:
    target, video = tmp_path / "s.jsonl", tmp_path / "v.mp4"
    program = Path(sys.executable).with_name("pinwatch")
    command = [program, "watch", crowd, "--realtime", "--sightings", target, "--annotate", video]
    process = subprocess.Popen(
        [str(part) for part in command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not target.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2.0)
    os.kill(process.pid, wanted)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    lines = read_lines(target)
    assert lines
    assert all(line["last_seen_s"] < 4.0 for line in lines)
    with av.open(str(video)) as opened:
        assert 10 < sum(1 for _ in opened.decode(video=0)) < 105
    assert "tracks" in out
