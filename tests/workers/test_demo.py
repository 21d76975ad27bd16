"""The demonstration as a user runs it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from pipeline.sources.file import FileSource
from pipeline.types import Outcome
from workers.cli.main import main
from workers.demo.attack import CLIP, EFFORT, PURIFIER
from workers.demo.footage import FRAMES, Studio
from workers.lettering import outcome_colour_bgr

HOPPER = "Grace Hopper"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the demo: where it wrote, and how it ended."""

    folder: Path
    exit_code: int


def run_demo(folder: Path) -> Run:
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--out", str(folder)])
    code = ended.value.code
    return Run(folder, code if isinstance(code, int) else 0)


def sightings(folder: Path, name: str = "sightings") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PINWATCH_DATA", str(tmp_path_factory.mktemp("own") / "data"))
        return run_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def pictures(done: Run) -> list[np.ndarray]:
    with av.open(done.folder / "annotated.mp4") as container:
        wanted = {150, 165, 350}
        return [
            frame.to_ndarray(format="bgr24")
            for number, frame in enumerate(container.decode(video=0))
            if number in wanted
        ]


def coloured_px(picture: np.ndarray, outcome: Outcome) -> int:
    """How much of a picture is in an outcome's colour, allowing for what compression does."""
    off = np.abs(picture.astype(np.int32) - outcome_colour_bgr(outcome)).max(axis=2)
    return int((off < 24).sum())


def test_it_names_who_is_enrolled_and_nobody_else(done: Run) -> None:
    assert done.exit_code == 0
    found = sightings(done.folder)
    assert {row["subject"] for row in found if row["outcome"] == "known"} == {HOPPER}
    assert {row["subject"] for row in found if row["outcome"] != "known"} == {None}
    seen = {(row["outcome"], round(row["first_seen_s"]) // 8) for row in found}
    assert {("known", 0), ("known", 1), ("unknown", 0), ("unknown", 1)} <= seen


def test_the_gallery_of_the_user_is_left_alone(done: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert (done.folder / "demo-data").is_dir()
    assert list(tmp_path_factory.getbasetemp().glob("own*/data")) == []


def test_four_walks_are_four_tracks(done: Run) -> None:
    assert len(sightings(done.folder)) == 4


def test_the_video_is_as_long_as_the_footage_and_plays_in_browsers(done: Run) -> None:
    for name in ("footage.mp4", "annotated.mp4"):
        with av.open(done.folder / name) as container:
            stream = container.streams.video[0]
            assert stream.frames == FRAMES
            assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")


def test_the_video_shows_what_was_decided(pictures: list[np.ndarray]) -> None:
    hopper, hopper_later, collins = pictures
    for picture in (hopper, hopper_later):
        assert coloured_px(picture, Outcome.KNOWN) > 1500
    assert coloured_px(collins, Outcome.UNKNOWN) > coloured_px(hopper, Outcome.UNKNOWN) + 800
    assert coloured_px(collins, Outcome.KNOWN) < 200


def test_the_contact_sheet_has_everybody(done: Run) -> None:
    sheet = cv2.imread(str(done.folder / "contact-sheet.png"))
    assert sheet is not None
    assert coloured_px(sheet, Outcome.KNOWN) > 2000
    assert coloured_px(sheet, Outcome.UNKNOWN) > 2000


def attacked_first(folder: Path, name: str) -> list[dict[str, Any]]:
    """Last decisions of the attacked clip, the track that is attacked before the others."""
    ended = [row for row in sightings(folder, name) if row["revision"] == "end"]
    return sorted(ended, key=lambda row: row["first_seen_s"])


def test_the_attack_deceives_the_recogniser_that_does_not_purify(done: Run) -> None:
    attacked, *others = attacked_first(done.folder, "attacked-without-pin")
    assert (attacked["outcome"], attacked["subject"], attacked["purifier"]) == ("known", HOPPER, "none")
    assert [row["subject"] for row in others] == [HOPPER]


def test_behind_the_purifier_only_she_is_named_who_is_enrolled(done: Run) -> None:
    attacked, *others = attacked_first(done.folder, "attacked-with-pin")
    assert attacked["outcome"] in {"unknown", "suspected_attack"}
    assert attacked["purifier"].startswith(PURIFIER)
    assert [row["subject"] for row in others] == [HOPPER]


def test_the_attacked_clip_is_stored_without_loss(done: Run) -> None:
    with av.open(done.folder / "attacked.mkv") as container:
        assert container.streams.video[0].codec_context.name == "ffv1"
        assert sum(1 for _ in container.demux(video=0)) - 1 == len(CLIP)
    clean = Studio().frame(CLIP.start)
    first = next(FileSource(done.folder / "attacked.mkv").frames())
    change = np.abs(first.image_bgr.astype(np.int32) - clean)
    assert 0 < change.max() <= EFFORT.eps_255


def test_the_picture_of_the_attack_shows_both_outcomes(done: Run) -> None:
    picture = cv2.imread(str(done.folder / "attack.png"))
    assert picture is not None
    assert coloured_px(picture, Outcome.KNOWN) > 4000
    assert coloured_px(picture, Outcome.UNKNOWN) > 4000


def test_without_the_models_asked_for_it_says_what_to_do_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PINWATCH_MODELS", str(tmp_path / "none"))
    monkeypatch.setenv("PINWATCH_DETECTOR__NAME", "yunet")
    monkeypatch.setenv("PINWATCH_DATA", str(tmp_path / "data"))
    assert run_demo(tmp_path / "out").exit_code == 1
    said = capsys.readouterr().err
    assert "PINWATCH_MODELS" in said
    assert "pinwatch models pull" in said
    assert not (tmp_path / "out" / "footage.mp4").exists()
