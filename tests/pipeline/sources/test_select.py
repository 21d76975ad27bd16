from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SourceError, SourceNotFound, UsageError
from pipeline.redact import Address
from pipeline.sources.select import (
    CameraSpec,
    FileSpec,
    FolderSpec,
    RecordedSpec,
    StreamSpec,
    UsbSpec,
    camera_id_of,
    parse_source,
)


def test_each_kind_is_told_from_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lobby.mp4").touch()
    (tmp_path / "0").touch()
    assert parse_source("lobby.mp4") == FileSpec(Path("lobby.mp4"))
    assert parse_source(str(tmp_path)) == FolderSpec(tmp_path)
    assert parse_source("rtsp://cam/live") == StreamSpec(Address.parse("rtsp://cam/live"))
    assert parse_source("HTTPS://cam/v.mjpg") == StreamSpec(Address.parse("HTTPS://cam/v.mjpg"))
    assert parse_source("0") == UsbSpec(0)
    assert parse_source("./0") == FileSpec(Path("0"))
    assert parse_source("recorded:gate") == RecordedSpec("gate")
    assert parse_source("recorded:gate:12") == RecordedSpec("gate", 12)
    assert parse_source("recorded:a:b:3") == RecordedSpec("a:b", 3)
    assert camera_id_of(RecordedSpec("gate", 3)) == "gate"
    assert parse_source("lobby", ["gate", "lobby"]) == CameraSpec("lobby")
    assert parse_source("lobby.mp4", ["lobby.mp4"]) == CameraSpec("lobby.mp4")


def test_nothing_of_that_name_says_what_there_could_be() -> None:
    with pytest.raises(SourceNotFound, match=r"'loby'.*rtsp://.*gate, lobby"):
        parse_source("loby", ["lobby", "gate"])
    with pytest.raises(SourceNotFound, match="no file"):
        parse_source("")


def test_a_wrong_address_is_refused_without_its_password() -> None:
    with pytest.raises(UsageError, match="must start with") as caught:
        parse_source("ftp://admin:hunter2@cam/x")
    assert "hunter2" not in str(caught.value)


@given(st.text(max_size=300))
def test_any_text_gives_a_spec_or_our_error(text: str) -> None:
    try:
        assert camera_id_of(parse_source(text))
    except (SourceError, UsageError) as error:
        assert str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("spec", "camera_id"),
    [
        (FileSpec(Path("/a/crowd.mp4")), "crowd"),
        (FolderSpec(Path("/a/visit")), "visit"),
        (FolderSpec(Path("/")), "root"),
        (UsbSpec(1), "usb1"),
        (CameraSpec("lobby"), "lobby"),
        (StreamSpec(Address.parse("rtsp://admin:hunter2@10.0.0.7:8554/live/ch1?token=abc&channel=2")),
         "10.0.0.7-8554-live-ch1-token-channel-2"),
        (StreamSpec(Address.parse("rtsp://cam/user=admin_password=x_channel=1")), "cam-user"),
    ],
)  # fmt: skip
def test_camera_ids_hold_no_credentials(spec: FileSpec, camera_id: str) -> None:
    assert camera_id_of(spec) == camera_id
