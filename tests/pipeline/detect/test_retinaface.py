from __future__ import annotations

import dataclasses
import zipfile

import numpy as np
import pytest
import torch

from pipeline.detect.candidates import pairwise_iou
from pipeline.detect.retinaface import Anchors, RetinaFaceDetector, RetinaFaceOptions, build_module, decode
from pipeline.detect.retinaface_networks import ARCHITECTURES
from pipeline.detect.yunet import YuNetDetector, YuNetOptions
from pipeline.errors import ModelFormatError
from pipeline.models import Catalogue, ModelCard, ModelKind, VerifiedModel
from pipeline.types import ByteArray, Face
from tests.contracts.detector import DetectorContract, TrainedDetectorContract

SMALL = Anchors(((16, 32), (64, 128), (256, 512)), (8, 16, 32), (0.1, 0.2))


def boxes_of(faces: list[Face]) -> np.ndarray:
    return np.array([face.bbox for face in faces], np.float32).reshape(-1, 4)


@pytest.fixture(scope="session")
def resnet50(tmp_path_factory: pytest.TempPathFactory) -> VerifiedModel:
    """The published card with a checkpoint of random weights, packed as it is published."""
    card = Catalogue.load([]).card("retinaface", ModelKind.DETECTOR)
    folder = tmp_path_factory.mktemp("resnet50")
    torch.manual_seed(0)
    network = ARCHITECTURES["retinaface_resnet50"]()
    for head in network.ClassHead:  # type: ignore[union-attr]
        head.conv1x1.bias.data += torch.tensor([0.4, -0.4] * 2)
    torch.save(network.state_dict(), folder / "inner.pth", _use_new_zipfile_serialization=False)
    path = folder / card.files[0].name
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(folder / "inner.pth", "retinaface_resnet50.pth")
    return VerifiedModel(card, {path.name: path})


@pytest.fixture(scope="session")
def mobile(catalogue: Catalogue) -> VerifiedModel:
    return catalogue.open("retinaface-mobile025", ModelKind.DETECTOR)


@pytest.fixture(scope="module")
def random_resnet50(resnet50: VerifiedModel) -> RetinaFaceDetector:
    return RetinaFaceDetector(resnet50, RetinaFaceOptions(size_px=160, batch_size=2))


@pytest.fixture(scope="module")
def trained_mobile(mobile: VerifiedModel) -> RetinaFaceDetector:
    return RetinaFaceDetector(mobile, RetinaFaceOptions(size_px=640, batch_size=2))


class TestResNet50Contract(DetectorContract):
    """Random weights: everything but the quality of the faces."""

    @pytest.fixture
    def detector(self, random_resnet50: RetinaFaceDetector) -> RetinaFaceDetector:
        return random_resnet50


@pytest.mark.assets
class TestMobileContract(TrainedDetectorContract):
    @pytest.fixture
    def detector(self, trained_mobile: RetinaFaceDetector) -> RetinaFaceDetector:
        return trained_mobile


def assert_same_faces(a: list[Face], b: list[Face], atol_px: float) -> None:
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x.bbox, y.bbox, atol=atol_px)
        np.testing.assert_allclose(x.landmarks, y.landmarks, atol=atol_px)
        assert x.score == pytest.approx(y.score, abs=1e-4)


@pytest.mark.assets
def test_openvino_and_torch_find_the_same_faces(
    mobile: VerifiedModel, trained_mobile: RetinaFaceDetector, crowd: list[ByteArray]
) -> None:
    in_torch = RetinaFaceDetector(mobile, RetinaFaceOptions(size_px=640, batch_size=2, runtime="torch"))
    for a, b in zip(trained_mobile.detect(crowd[:2]), in_torch.detect(crowd[:2]), strict=True):
        assert len(a) >= 4
        assert_same_faces(a, b, atol_px=0.02)


def test_resnet50_is_the_same_network_in_openvino_and_torch(
    resnet50: VerifiedModel, random_resnet50: RetinaFaceDetector
) -> None:
    """Raw outputs, since random weights need not propose anything; RGB and normalised as published."""
    rng = np.random.default_rng(3)
    batch = rng.integers(0, 256, (2, 64, 96, 3), np.uint8)
    in_openvino = random_resnet50._network(batch)
    in_torch = RetinaFaceDetector(resnet50, RetinaFaceOptions(runtime="torch"))._network(batch)
    rgb = batch[..., ::-1].astype(np.float64) / 255
    normal = (rgb - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    with torch.inference_mode():
        plain = build_module(resnet50)(torch.from_numpy(normal.transpose(0, 3, 1, 2).astype(np.float32)))
    for a, b, c in zip(in_openvino, in_torch, plain, strict=True):
        scale = float(c.abs().max())
        np.testing.assert_allclose(a / scale, c.numpy() / scale, atol=1e-4)
        np.testing.assert_allclose(b / scale, c.numpy() / scale, atol=1e-4)


@pytest.mark.assets
def test_mobile_takes_bgr_less_the_mean(
    mobile: VerifiedModel, trained_mobile: RetinaFaceDetector, crowd: list[ByteArray]
) -> None:
    batch = crowd[0][None, 480:800, 160:800].copy()
    plain = batch.astype(np.float32) - np.array([104, 117, 123], np.float32)
    with torch.inference_mode():
        expected = build_module(mobile)(torch.from_numpy(plain.transpose(0, 3, 1, 2).copy()))
        swapped = build_module(mobile)(torch.from_numpy(plain[..., ::-1].transpose(0, 3, 1, 2).copy()))
    scores = trained_mobile._network(batch)[1]
    np.testing.assert_allclose(scores, expected[1].numpy(), atol=1e-4)
    assert np.abs(scores - swapped[1].numpy()).max() > 0.1


@pytest.mark.assets
def test_agrees_with_yunet_on_the_crowd(
    trained_mobile: RetinaFaceDetector, catalogue: Catalogue, crowd: list[ByteArray]
) -> None:
    """Two detectors that know nothing of each other: wrong anchors, strides or activations show here."""
    yunet = YuNetDetector(catalogue.open("yunet", ModelKind.DETECTOR), YuNetOptions(size_px=960))
    overlaps, distances = [], []
    for all_of_yunet, found in zip(yunet.detect(crowd), trained_mobile.detect(crowd), strict=True):
        sure = [face for face in all_of_yunet if face.score > 0.85]
        table = pairwise_iou(boxes_of(sure), boxes_of(found))
        for face, row in zip(sure, table, strict=True):
            overlaps.append(float(row.max()))
            offsets = found[int(row.argmax())].landmarks - face.landmarks
            distances.append(float(np.linalg.norm(offsets, axis=1).mean() / face.width_px))
    assert np.mean(np.array(overlaps) > 0.6) >= 0.9
    assert np.median(overlaps) > 0.8
    assert np.median(distances) < 0.06


def encoded(box: np.ndarray, points: np.ndarray, prior: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The offsets of RetinaFace's training targets, written down independently of the package."""
    centre, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
    offsets = np.concatenate([(centre - prior[:2]) / prior[2:] / 0.1, np.log(size / prior[2:]) / 0.2])
    return offsets, ((points - prior[:2]) / prior[2:] / 0.1).reshape(10)


@pytest.mark.parametrize(
    ("cell", "anchor", "stride_px", "side_px"),
    [((3, 5), 1, 8, 32), ((2, 1), 0, 16, 64), ((0, 1), 1, 32, 512)],
)
def test_decoding_undoes_the_encoding_of_the_targets(
    cell: tuple[int, int], anchor: int, stride_px: int, side_px: int
) -> None:
    height, width = 64, 96
    cells = [(height // s) * (width // s) for s in SMALL.strides_px]
    level = SMALL.strides_px.index(stride_px)
    row = 2 * (sum(cells[:level]) + cell[0] * (width // stride_px) + cell[1]) + anchor
    prior = np.array([(cell[1] + 0.5) * stride_px, (cell[0] + 0.5) * stride_px, side_px, side_px])
    box = np.array([20.5, 11.0, 70.0, 59.5])
    points = np.array([[30, 25], [55, 26], [43, 35], [33, 48], [52, 47]], np.float64)
    boxes = np.zeros((2 * sum(cells), 4), np.float32)
    landmarks = np.zeros((2 * sum(cells), 10), np.float32)
    scores = np.full(2 * sum(cells), 0.1, np.float32)
    boxes[row], landmarks[row] = encoded(box, points, prior)
    scores[row] = 0.9
    found = decode([boxes, scores, landmarks], SMALL, (height, width), 0.5)
    np.testing.assert_allclose(found.boxes, box[None], atol=1e-3)
    np.testing.assert_allclose(found.landmarks, points[None], atol=1e-3)
    assert found.scores.tolist() == pytest.approx([0.9])


def test_a_checkpoint_of_another_network_is_refused_by_name(resnet50: VerifiedModel) -> None:
    card = dataclasses.replace(resnet50.card, architecture="retinaface_mobilenet0.25")
    with pytest.raises(ModelFormatError, match=r"does not fit retinaface_mobilenet0\.25"):
        RetinaFaceDetector(VerifiedModel(card, resnet50.paths))


def changed(card: ModelCard, **changes: object) -> ModelCard:
    return dataclasses.replace(card, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"options": {}}, "anchor_sizes_px"),
        ({"input": None}, "input"),
        ({"architecture": "retinaface_vgg"}, "retinaface_vgg"),
    ],
)
def test_a_card_that_lacks_something_is_refused_by_name(
    resnet50: VerifiedModel, changes: dict[str, object], says: str
) -> None:
    with pytest.raises(ModelFormatError, match=says):
        RetinaFaceDetector(VerifiedModel(changed(resnet50.card, **changes), resnet50.paths))


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="batch_size"):
        RetinaFaceOptions(batch_size=0)
    with pytest.raises(ValueError, match="multiple of 32"):
        RetinaFaceOptions(size_px=100)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.assets
def test_cuda_finds_the_same_faces(mobile: VerifiedModel, crowd: list[ByteArray]) -> None:
    options = RetinaFaceOptions(size_px=960, batch_size=4)
    on_cpu = RetinaFaceDetector(mobile, dataclasses.replace(options, runtime="torch"))
    on_cuda = RetinaFaceDetector(mobile, dataclasses.replace(options, device="cuda"))
    for a, b in zip(on_cpu.detect(crowd), on_cuda.detect(crowd), strict=True):
        assert_same_faces(a, b, atol_px=0.05)
