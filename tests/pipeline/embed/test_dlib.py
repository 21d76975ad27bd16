"""dlib's network as dlib itself runs it.

``golden/descriptors.txt`` is what dlib 20.0.1 gave for the three chips beside it: astronaut Eileen Collins
and Rear Admiral Grace Hopper (portraits of NASA and of the US Navy, public domain), a picture of nothing.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pipeline.embed.dlib_file import read_layers
from pipeline.embed.dlib_resnet import CHIP_PX, EMBEDDING_DIM, DlibResNet, load_dlib_resnet
from pipeline.embed.load import load_embedder
from pipeline.errors import ModelFormatError, ModelNotFound
from pipeline.models import Catalogue, ModelKind
from pipeline.models.reading import package_folder
from pipeline.types import FloatArray

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def path() -> Path:
    """From the installed package, as the program finds it."""
    return Catalogue.load([]).open("dlib-resnet", ModelKind.EMBEDDER).main_path


@pytest.fixture(scope="module")
def network(path: Path) -> DlibResNet:
    return load_dlib_resnet(path).eval().requires_grad_(False)


def chip(name: str) -> FloatArray:
    """float32 (3, 150, 150) RGB."""
    image_bgr = cv2.imread(str(GOLDEN / f"{name}.png"), cv2.IMREAD_COLOR)
    assert image_bgr is not None
    return np.asarray(image_bgr[..., ::-1].transpose(2, 0, 1), np.float32)


def test_descriptors_are_those_of_dlib(network: DlibResNet) -> None:
    golden = np.loadtxt(GOLDEN / "descriptors.txt", dtype=np.float32)
    assert golden.shape == (3, EMBEDDING_DIM)
    chips = torch.from_numpy(np.stack([chip(name) for name in ("collins", "hopper", "noise")]))
    ours = network.describe(chips).numpy()
    assert np.allclose(ours, golden, atol=2e-4)
    cosines = (ours * golden).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(golden, axis=1)
    assert (cosines >= 0.9999).all()
    assert float(golden[0] @ golden[1] / np.linalg.norm(golden[0]) / np.linalg.norm(golden[1])) < 0.95


def test_it_embeds_our_crops_with_gradients(network: DlibResNet) -> None:
    crops = (torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0)) * 255).requires_grad_(
        True
    )
    vectors = network(crops)
    assert vectors.shape == (2, EMBEDDING_DIM)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(2), atol=1e-5)
    vectors[:, 0].sum().backward()
    assert crops.grad is not None
    assert crops.grad.abs().max() > 0


def test_it_runs_as_the_program_runs_it(network: DlibResNet) -> None:
    catalogue = Catalogue.load([])
    none = catalogue.open("none", ModelKind.PURIFIER)
    embedder = load_embedder(catalogue.open("dlib-resnet", ModelKind.EMBEDDER), none)
    crop = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    expected = network(torch.from_numpy(crop).permute(2, 0, 1)[None].float())[0].numpy()
    (embedding,) = embedder.embed([crop])
    assert embedding.confidence is None
    assert np.allclose(embedding.vector, expected, atol=1e-4)


def test_the_chip_is_cut_from_our_crop(network: DlibResNet) -> None:
    """The middle of the eyes of our template lies where dlib's chip has it."""
    crop = torch.zeros(1, 3, 112, 112)
    crop[..., 51:53, 55:57] = 255.0  # between the eyes of our template, (55.9, 51.6)
    y, x = np.unravel_index(int(network.resample(crop)[0, 0].argmax()), (CHIP_PX, CHIP_PX))
    assert abs(x - 74.0) <= 2.0
    assert abs(y - 46.6) <= 2.0


def test_other_files_are_refused_by_name(path: Path, tmp_path: Path) -> None:
    data = path.read_bytes()
    for name, content in (
        ("half.dat", data[: len(data) // 2]),
        ("none.dat", b"no"),
        ("longer.dat", data + data),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelFormatError, match=name):
            load_dlib_resnet(tmp_path / name)
    with pytest.raises(ModelFormatError, match="missing"):
        read_layers(tmp_path / "missing.dat")


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    assert package_folder("no_such_package_is_installed") is None
    monkeypatch.setattr("pipeline.models.catalogue.package_folder", lambda _: None)
    with pytest.raises(ModelNotFound, match="install the package `face_recognition_models`"):
        Catalogue.load([]).open("dlib-resnet", ModelKind.EMBEDDER)
