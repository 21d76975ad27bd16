"""What is measured of a detector and of embedders, on pictures whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pipeline.embed.residual import ResidualFaceNet
from pipeline.errors import UsageError
from pipeline.robustness.faces import FacePack
from pipeline.types import ByteArray, Face, FloatArray
from tests.toys import toy_pack
from training import report
from training.labels import LabelledPhoto
from training.measure_detector import _false, _frames, _on_crowd, _on_photos, _time_ratio
from training.measure_embedder import _by_luma, _of_worst, measure_embedder
from training.output import embedder_card, save_network

BOX = np.array([10, 10, 30, 30], np.float32)
POINTS = np.array([[15, 15], [25, 15], [20, 20], [16, 25], [24, 25]], np.float32)


class Scripted:
    """Finds the same faces in every picture, at its size relative to 64 px."""

    detector_id = "scripted"

    def __init__(self, *faces: Face) -> None:
        self._faces = faces

    def detect(self, images_bgr: Sequence[ByteArray]) -> list[list[Face]]:
        scales = [np.float32(image.shape[1] / 64) for image in images_bgr]
        return [[Face(f.bbox * s, f.landmarks * s, f.score) for f in self._faces] for s in scales]


def face(shift: float = 0.0, score: float = 0.9) -> Face:
    return Face(BOX + np.float32(shift), POINTS + np.float32(shift), score)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Ten grey frames of 64x64."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 64))
    for _ in range(10):
        writer.write(np.full((64, 64, 3), 128, np.uint8))
    writer.release()
    return path


def test_found_faces_and_landmarks() -> None:
    image: ByteArray = np.zeros((64, 64, 3), np.uint8)
    _, data = cv2.imencode(".png", image)
    none: FloatArray = np.empty((0, 4), np.float32)
    far = BOX + np.float32(30)
    photo = LabelledPhoto(data.tobytes(), np.stack([BOX, far]), np.stack([POINTS, POINTS]), none)
    faces, found, error = _on_photos([photo, photo], Scripted(face(1.0), face(30.0, score=0.35)))
    assert (faces, found) == (4, 2), "the second face's score is too low"
    assert error == pytest.approx(np.sqrt(2) / 10)


def test_only_what_yunet_is_sure_of_must_be_found() -> None:
    frames = [np.zeros((64, 64, 3), np.uint8)] * 3
    yunet = Scripted(face(), face(30.0), face(20.0, score=0.5))
    assert _on_crowd(frames, Scripted(face(2.0)), yunet) == (6, 3)


def test_what_no_teacher_has_is_false(clip: Path) -> None:
    teachers = (Scripted(face()), Scripted(face(30.0)))
    ours = Scripted(face(1.0), face(-9.0), face(-9.0, score=0.2))
    assert _false(clip, ours, Scripted(face(30.0)), teachers) == (2, 0, 2)


def test_frames_are_skipped_and_missing_clips_named(clip: Path, tmp_path: Path) -> None:
    assert len(list(_frames(clip, 3))) == 4
    with pytest.raises(UsageError, match=r"none\.mp4"):
        list(_frames(tmp_path / "none.mp4", 1))
    assert _time_ratio(list(_frames(clip, 1)), Scripted(), Scripted()) > 0


def test_rates_by_luma_and_of_the_worst() -> None:
    people = np.array(["a", "f", "b", "c", "d", "e"])
    same = people[:, None] == people[None]
    matches = np.zeros((6, 6), bool)
    matches[4, 5] = matches[5, 4] = True
    luma = np.array([10.0, 20.0, 100.0, 110.0, 200.0, 210.0])
    assert _by_luma(matches, same, luma) == (0.0, 0.0, 1.0)
    assert _of_worst(matches, same, people) == pytest.approx(1 / 5)


def test_the_report_prints_a_line_for_each_purifier(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack: FacePack = toy_pack(tmp_path / "faces.npz")
    torch.manual_seed(0)
    save_network(tmp_path, embedder_card("mine", "A face.", "a test"), ResidualFaceNet().eval())
    command = ["embedders", "--faces", str(tmp_path / "faces.npz"), "--embedder", "mine", "--models"]
    assert report.main([*command, str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all("accuracy" in line and "TAR" in line for line in lines)
    figures = measure_embedder("mine", "none", [tmp_path], tmp_path / "faces.npz")
    assert figures.pairs == len([pair for pair in pack.pairs if pair.fold == 5])
    assert 0.0 <= figures.accuracy <= 1.0
    assert report.main([*command, str(tmp_path), "--purifier", "nobody"]) != 0
    assert "nobody" in capsys.readouterr().err
