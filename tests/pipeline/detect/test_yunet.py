from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.detect.letterbox import Letterbox
from pipeline.detect.yunet import YuNetDetector, YuNetOptions
from pipeline.errors import ModelFormatError
from pipeline.models import Catalogue, ModelKind, VerifiedModel
from pipeline.types import ByteArray
from tests.contracts.detector import TrainedDetectorContract

pytestmark = pytest.mark.assets


@pytest.fixture(scope="module")
def model(catalogue: Catalogue) -> VerifiedModel:
    return catalogue.open("yunet", ModelKind.DETECTOR)


@pytest.fixture(scope="module")
def yunet(model: VerifiedModel) -> YuNetDetector:
    return YuNetDetector(model)


class TestContract(TrainedDetectorContract):
    @pytest.fixture
    def detector(self, yunet: YuNetDetector) -> YuNetDetector:
        return yunet


@pytest.mark.parametrize("size_px", [320, 736, 1920])
def test_finds_what_opencv_finds(model: VerifiedModel, crowd: list[ByteArray], size_px: int) -> None:
    """The same graph in OpenCV's own runtime, with its own decoding and suppression."""
    letterbox = Letterbox.plan(1080, 1920, size_px)
    height, width = letterbox.picture_px
    opencv = cv2.FaceDetectorYN.create(str(model.main_path), "", (width, height), 0.6, 0.3)
    ours = YuNetDetector(model, YuNetOptions(size_px=size_px, min_score=0.6))
    total = 0
    for frame, faces in zip(crowd, ours.detect(crowd), strict=True):
        rows = opencv.detect(letterbox.apply(frame)[:height, :width])[1]
        theirs = (
            np.zeros((0, 15), np.float32) if rows is None else rows[np.argsort(-rows[:, 14], kind="stable")]
        )
        assert len(theirs) == len(faces)
        for row, face in zip(theirs, faces, strict=True):
            corners = letterbox.restore(np.array([row[:2], row[:2] + row[2:4]], np.float32))
            np.testing.assert_allclose(face.bbox, corners.reshape(4), atol=0.01)
            np.testing.assert_allclose(face.landmarks, letterbox.restore(row[4:14].reshape(5, 2)), atol=0.01)
            assert face.score == pytest.approx(row[14], abs=1e-5)
        total += len(faces)
    assert total >= 15


def test_swapped_colours_are_not_what_opencv_finds(yunet: YuNetDetector, crowd: list[ByteArray]) -> None:
    """The parity test would catch an RGB picture fed to this BGR network."""
    for frame in crowd:
        (right,), (wrong,) = (
            yunet.detect([frame]),
            yunet.detect([np.ascontiguousarray(frame[..., ::-1])]),
        )
        assert sum(face.score for face in right if face.score > 0.8) > 0
        assert [face.score for face in right] != pytest.approx([face.score for face in wrong], abs=1e-3)


def test_more_threads_find_the_same_faces(model: VerifiedModel, crowd: list[ByteArray]) -> None:
    one, two = (YuNetDetector(model, YuNetOptions(threads=n)).detect(crowd) for n in (1, 2))
    for a, b in zip(one, two, strict=True):
        assert [x.score for x in a] == pytest.approx([y.score for y in b], abs=1e-4)


@pytest.mark.parametrize("content", [b"", b"not a graph"])
def test_a_broken_file_is_refused_by_name(model: VerifiedModel, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / model.main_path.name
    path.write_bytes(content)
    with pytest.raises(ModelFormatError, match=path.name):
        YuNetDetector(VerifiedModel(model.card, {path.name: path}))


def test_another_graph_is_refused_by_name(model: VerifiedModel, models: Path) -> None:
    path = models / "landmarks-regression-retail-0009.xml"
    other = VerifiedModel(model.card, {model.main_path.name: path})
    with pytest.raises(ModelFormatError, match="not a YuNet graph"):
        YuNetDetector(other)


def test_sizes_off_the_grid_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        YuNetOptions(size_px=650)
