"""`pinwatch cameras`, verb by verb."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from pipeline.errors import ConfigError, PinwatchError, SourceError, SourceNotFound, StorageError, UsageError
from tests.rtsp.camera import RtspServer
from tests.rtsp.counting import read_number, write_numbered_video
from workers.build import Context
from workers.cli.cameras import app

SECRET = "hunter2"
ADDRESS = f"rtsp://admin:{SECRET}@10.0.0.7/main"

Pinwatch = Callable[..., Result]


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    context = Context(environment={})
    context.override(data=tmp_path / "data")
    yield context
    context.close()


@pytest.fixture
def cameras(context: Context) -> Pinwatch:
    """``cameras("add", ...)`` runs the verb; our errors are raised, as they reach the program's end."""

    def run(*arguments: str, stdin: str = "") -> Result:
        result = CliRunner().invoke(app, arguments, obj=context, input=stdin)
        assert SECRET not in result.output
        if isinstance(result.exception, PinwatchError):
            assert SECRET not in str(result.exception)
            raise result.exception
        return result

    return run


def listed(cameras: Pinwatch) -> list[dict[str, object]]:
    rows = json.loads(cameras("list", "--json").stdout)
    assert isinstance(rows, list)
    return rows


def test_add_and_list(cameras: Pinwatch) -> None:
    region, mask = "0,0 0.5,0 0.5,1", "0.9,0.9 1,0.9 1,1"
    done = cameras(
        *("add", "lobby", ADDRESS, "--transport", "udp", "--substream", ADDRESS, "--rate-limit", "5"),
        *("--region", region, "--mask", mask, "--mask", region, "--clock-offset", "-0.5", "--disabled"),
    )
    assert done.exit_code == 0
    assert "cameras test" in done.stdout
    assert listed(cameras) == [
        {
            "name": "lobby",
            "address": "rtsp://***@10.0.0.7/main",
            "transport": "udp",
            "substream": "rtsp://***@10.0.0.7/main",
            "rate_limit_hz": 5.0,
            "region_of_interest": [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0]],
            "privacy_masks": [[[0.9, 0.9], [1.0, 0.9], [1.0, 1.0]], [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0]]],
            "clock_offset_s": -0.5,
            "enabled": False,
            "purpose": "",
        }
    ]
    table = cameras("list").stdout
    for words in ("lobby", "rtsp://***@10.0.0.7/main", "udp", "region", "2 masks"):
        assert words in table


def test_the_address_may_come_from_standard_input(cameras: Pinwatch, context: Context) -> None:
    cameras("add", "lobby", "-", "--substream", "-", stdin=f"{ADDRESS}\n{ADDRESS}2\n")
    assert listed(cameras)[0]["address"] == "rtsp://***@10.0.0.7/main"
    substream = context.cameras().get("lobby").substream
    assert substream is not None
    assert substream.address.reveal() == ADDRESS + "2"


def test_add_refuses_what_does_not_fit(cameras: Pinwatch) -> None:
    cameras("add", "lobby", ADDRESS)
    with pytest.raises(UsageError, match="--replace"):
        cameras("add", "lobby", ADDRESS)
    cameras("add", "lobby", "0", "--replace")
    assert listed(cameras)[0]["address"] == 0
    for wrong in (
        ("17", ADDRESS),
        ("gate", f"rtsp://admin:{SECRET}"),
        ("gate", ADDRESS, "--region", "0,0 1,1"),
        ("gate", ADDRESS, "--mask", "zero,0 1,1 1,0"),
        ("gate", ADDRESS, "--mask", "0 1 1"),
        ("gate", ADDRESS, "--transport", "pigeon"),
    ):
        with pytest.raises(ConfigError, match="camera"):
            cameras("add", *wrong)
    assert len(listed(cameras)) == 1


def test_remove(cameras: Pinwatch) -> None:
    cameras("add", "lobby", ADDRESS)
    assert "removed" in cameras("remove", "lobby").stdout
    with pytest.raises(SourceNotFound, match="lobby"):
        cameras("remove", "lobby")


def test_import_takes_all_or_nothing(cameras: Pinwatch, tmp_path: Path) -> None:
    path = tmp_path / "cameras.yaml"
    path.write_text(f"- {{name: lobby, address: {ADDRESS}}}\n- {{name: gate, adress: 1}}\n")
    with pytest.raises(ConfigError, match=r"cameras\.1\.adress"):
        cameras("import", str(path))
    assert listed(cameras) == []
    path.write_text(f"- {{name: lobby, address: {ADDRESS}}}\n- {{name: gate, address: 1}}\n")
    assert json.loads(cameras("import", str(path), "--json").stdout) == {
        "added": ["lobby", "gate"],
        "changed": [],
        "unchanged": [],
    }
    assert "unchanged: lobby, gate" in cameras("import", str(path)).stdout


@pytest.mark.parametrize("verb", ["add", "list", "test", "remove", "import"])
def test_every_verb_has_help_with_an_example(cameras: Pinwatch, verb: str) -> None:
    text = cameras(verb, "--help").stdout
    assert f"pinwatch cameras {verb}" in " ".join(text.split())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RtspServer]:
    video = write_numbered_video(tmp_path / "numbered.mp4", 100)
    with RtspServer(video, user="admin", password=SECRET) as running:
        yield running


@pytest.mark.rtsp
class TestTrying:
    def test_a_saved_camera_with_substream_and_mask(
        self, cameras: Pinwatch, server: RtspServer, tmp_path: Path
    ) -> None:
        half = "0,0.5 1,0.5 1,1 0,1"
        cameras("add", "lobby", server.url(), "--substream", server.url("sub"), "--mask", half)
        picture = tmp_path / "lobby.jpg"
        done = cameras("test", "lobby", "--snapshot", str(picture), "--seconds", "1", "--json")
        report = json.loads(done.stdout)
        assert report["camera"] == "lobby"
        assert (report["main"]["codec"], report["main"]["width_px"], report["main"]["height_px"]) == (
            "h264",
            640,
            360,
        )
        assert report["substream"]["width_px"] == 320
        assert report["main"]["rate_hz"] == pytest.approx(25, rel=0.2)
        assert 0 < report["main"]["first_picture_s"] < 5
        image = cv2.imread(str(picture))
        assert image is not None
        assert 0 <= read_number(image.astype(np.uint8)) < 100
        assert image[190:].max() < 10, "the masked half is black in the snapshot too"

    def test_an_address_in_words(self, cameras: Pinwatch, server: RtspServer, tmp_path: Path) -> None:
        picture = tmp_path / "x.jpg"
        done = cameras(
            "test", server.url(), "--snapshot", str(picture), "--seconds", "0", "--transport", "udp"
        )
        assert "h264 640x360" in done.stdout
        assert picture.exists()

    def test_failures_are_told_without_the_password(
        self, cameras: Pinwatch, server: RtspServer, tmp_path: Path
    ) -> None:
        with pytest.raises(SourceError, match="user name or password"):
            cameras("test", server.url(password=SECRET + "x"))
        with pytest.raises(StorageError, match="--snapshot"):
            cameras("test", server.url(), "--snapshot", str(tmp_path / "no" / "x.jpg"), "--seconds", "0")


def test_trying_what_is_no_camera(cameras: Pinwatch, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pinwatch watch"):
        cameras("test", str(tmp_path))
    with pytest.raises(SourceNotFound, match="no file, folder or camera"):
        cameras("test", "nobody")
    with pytest.raises(SourceNotFound, match="no camera 98"):
        cameras("test", "98")
