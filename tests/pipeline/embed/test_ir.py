"""The reader of OpenVINO IR gives what OpenVINO itself gives, and refuses what it does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.embed.ir import IrNetwork
from pipeline.errors import ModelFormatError
from pipeline.models import Catalogue, ModelKind
from pipeline.silent_openvino import load_openvino

ov = load_openvino()
ops = ov.opset13

F32 = {"INFERENCE_PRECISION_HINT": "f32"}


def random_array(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(0, 0.3, shape).astype(np.float32)


def small_model() -> Any:
    """Every layer type the reader knows, some with stride, padding, groups and dilation."""
    image = ops.parameter([1, 4, 16, 16], np.float32, name="image")
    x = ops.add(ops.multiply(image, random_array(1, 4, 1, 1)), random_array(1, 4, 1, 1))
    x = ops.convolution(x, random_array(8, 4, 3, 3), [2, 2], [1, 1], [1, 1], [1, 1])
    x = ops.prelu(x, random_array(1))
    x = ops.group_convolution(x, random_array(8, 1, 1, 3, 3), [1, 1], [2, 2], [2, 2], [2, 2])
    x = ops.prelu(x, random_array(8))
    gate = ops.sigmoid(ops.avg_pool(x, [8, 8], [0, 0], [0, 0], [8, 8], exclude_pad=True))
    return ov.Model([ops.multiply(x, gate)], [image], "small")


def saved(model: Any, folder: Path, half: bool = False) -> tuple[Path, Path]:
    ov.save_model(model, folder / "net.xml", compress_to_fp16=half)
    return folder / "net.xml", folder / "net.bin"


@pytest.mark.parametrize("half", [False, True], ids=["f32", "f16"])
def test_it_computes_what_openvino_computes(tmp_path: Path, half: bool) -> None:
    xml, weights = saved(small_model(), tmp_path, half)
    image = random_array(1, 4, 16, 16)
    expected = ov.Core().compile_model(xml, "CPU", F32)(image)[0]
    got = IrNetwork(xml, weights)(torch.from_numpy(image))
    assert np.allclose(got.numpy(), expected, atol=1e-5)


def test_gradients_flow(tmp_path: Path) -> None:
    network = IrNetwork(*saved(small_model(), tmp_path)).double()
    image = torch.from_numpy(random_array(1, 4, 16, 16)).double().requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: network(x).sum((2, 3)), image, eps=1e-6, fast_mode=True)


def test_a_layer_that_is_not_known_is_named(tmp_path: Path) -> None:
    image = ops.parameter([1, 4], np.float32)
    model = ov.Model([ops.softmax(image, 1)], [image], "odd")
    with pytest.raises(ModelFormatError, match="SoftMax"):
        IrNetwork(*saved(model, tmp_path))


def test_uneven_padding_is_refused(tmp_path: Path) -> None:
    image = ops.parameter([1, 4, 16, 16], np.float32)
    x = ops.convolution(image, random_array(8, 4, 3, 3), [1, 1], [0, 0], [1, 1], [1, 1])
    with pytest.raises(ModelFormatError, match="padding"):
        IrNetwork(*saved(ov.Model([x], [image], "odd"), tmp_path))


@pytest.mark.parametrize("text", ["", "<net/>", "not xml", "<net><layers><layer id='0'/></layers></net>"])
def test_what_is_no_ir_is_refused(tmp_path: Path, text: str) -> None:
    xml, weights = tmp_path / "net.xml", tmp_path / "net.bin"
    xml.write_text(text)
    weights.write_bytes(b"")
    with pytest.raises(ModelFormatError, match=r"net\.xml"):
        IrNetwork(xml, weights)


def test_truncated_weights_are_refused(tmp_path: Path) -> None:
    xml, weights = saved(small_model(), tmp_path)
    weights.write_bytes(weights.read_bytes()[:-40])
    with pytest.raises(ModelFormatError, match=r"net\.bin"):
        IrNetwork(xml, weights)


@pytest.mark.assets
def test_the_published_network_is_read_exactly(catalogue: Catalogue, face_tensor: torch.Tensor) -> None:
    model = catalogue.open("face-reidentification-retail-0095", ModelKind.EMBEDDER)
    xml = next(path for path in model.paths.values() if path.suffix == ".xml")
    faces = torch.nn.functional.interpolate(face_tensor, size=(128, 128), mode="bilinear")
    ours = IrNetwork(xml, model.main_path)(faces).flatten(1).numpy()
    compiled = ov.Core().compile_model(xml, "CPU", F32)
    for row, face in zip(ours, faces.numpy(), strict=True):
        expected = compiled(face[None])[0].ravel()
        assert np.dot(row, expected) / np.linalg.norm(row) / np.linalg.norm(expected) > 0.99999
        assert np.allclose(row, expected, atol=1e-3 * np.abs(expected).max())
