"""The detector and the embedder that ship with the program, on the faces that its dependencies ship."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.align import align
from pipeline.detect.load import load_detector
from pipeline.embed.load import load_embedder
from pipeline.models import Catalogue, ModelKind
from pipeline.models.reading import bundled_folder
from pipeline.seams import Detector, FaceEmbedder
from pipeline.types import ByteArray, Embedding
from tests.contracts.detector import TrainedDetectorContract
from tests.contracts.embedder import EmbedderContract
from workers.config import Settings
from workers.demo.portraits import eileen_collins_bgr, grace_hopper_bgr

DETECTOR, EMBEDDER, PURIFIER = "pinwatch-detector", "pinwatch-face", "pinwatch-pin"
EMBEDDERS = (EMBEDDER, "pinwatch-hardened")
MIB = 2**20
BEHIND = [(embedder, purifier) for embedder in EMBEDDERS for purifier in ("none", PURIFIER)]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Without a folder of models."""
    return Catalogue.load([])


@pytest.fixture(scope="module")
def detector(catalogue: Catalogue) -> Detector:
    return load_detector(catalogue.open(DETECTOR, ModelKind.DETECTOR), size_px=640, min_score=0.4)


@pytest.fixture(scope="module", params=BEHIND, ids=[" behind ".join(names) for names in BEHIND])
def embedder(request: pytest.FixtureRequest, catalogue: Catalogue) -> FaceEmbedder:
    embedder, purifier = request.param
    before = catalogue.open(purifier, ModelKind.PURIFIER)
    return load_embedder(catalogue.open(embedder, ModelKind.EMBEDDER), before)


@pytest.fixture(scope="module")
def crops(detector: Detector) -> list[ByteArray]:
    """Hopper, Collins, and both again: mirrored, darker, at a third of the size and back."""
    portraits = [grace_hopper_bgr(), eileen_collins_bgr()]
    seen = [_as_seen_elsewhere(portrait) for portrait in portraits]
    pictures = [*portraits, *seen]
    return [
        align(picture, faces[0].landmarks)
        for picture, faces in zip(pictures, detector.detect(pictures), strict=True)
    ]


def _as_seen_elsewhere(picture: ByteArray) -> ByteArray:
    height, width = picture.shape[:2]
    small = cv2.resize(picture[:, ::-1], (width // 3, height // 3), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height)) * 0.7, np.uint8)


class TestDetector(TrainedDetectorContract):
    factors = (0.8, 2.0)  # it is for faces of up to 200 px

    @pytest.fixture(scope="class")
    @classmethod
    def detector(cls, catalogue: Catalogue) -> Detector:
        return load_detector(catalogue.open(DETECTOR, ModelKind.DETECTOR), size_px=640, min_score=0.4)


class TestEmbedder(EmbedderContract):
    pass


def test_a_portrait_has_one_face(detector: Detector) -> None:
    for portrait in (grace_hopper_bgr(), eileen_collins_bgr()):
        (faces,) = detector.detect([portrait])
        assert len([face for face in faces if face.score >= 0.6]) == 1


def test_the_same_person_is_alike_and_two_are_not(embedder: FaceEmbedder, crops: list[ByteArray]) -> None:
    hopper, collins, hopper_again, collins_again = (each.vector for each in embedder.embed(crops))
    assert min(hopper @ hopper_again, collins @ collins_again) > 0.6
    assert max(hopper @ collins, hopper @ collins_again, collins @ hopper_again) < 0.4


def test_it_is_less_sure_of_a_blurred_face(embedder: FaceEmbedder, crops: list[ByteArray]) -> None:
    for crop in crops[:2]:
        blurred = [np.asarray(cv2.GaussianBlur(crop, (0, 0), sigma), np.uint8) for sigma in (4, 9)]
        sure = [_confidence(each) for each in embedder.embed([crop, *blurred])]
        assert sure == sorted(sure, reverse=True)


def _confidence(embedding: Embedding) -> float:
    assert embedding.confidence is not None
    return embedding.confidence


def test_the_program_uses_them_unless_told_otherwise() -> None:
    settings = Settings()
    assert (settings.detector.name, settings.embedder.name, settings.purifier) == (
        DETECTOR,
        EMBEDDER,
        PURIFIER,
    )


def test_they_are_small_and_for_evaluation(catalogue: Catalogue) -> None:
    weights = [path for path in bundled_folder().iterdir() if path.suffix == ".safetensors"]
    assert {path.stem for path in weights} == {DETECTOR, *EMBEDDERS, PURIFIER}
    assert sum(path.stat().st_size for path in weights) < 30 * MIB
    for path in weights:
        assert "evaluation" in catalogue.named(path.stem).licence
        assert Path(bundled_folder() / f"{path.stem}.card.yaml").is_file()


@pytest.mark.parametrize("name", EMBEDDERS)
def test_attacks_are_suspected_behind_the_purifier(catalogue: Catalogue, name: str) -> None:
    card = catalogue.card(name, ModelKind.EMBEDDER)
    entry = card.thresholds_for(catalogue.card(PURIFIER, ModelKind.PURIFIER))
    assert entry is not None
    assert entry.evidence is not None
    assert [one.gallery for one in entry.strangers] == [10, 30, 100]
