"""Runs a detection network the same way every time: OpenVINO on the CPU, torch on CUDA.

Precision is pinned to f32 (bf16 and TF32 are defaults on some hardware), the thread count is fixed
and shapes are static, so equal pictures give equal bits.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipeline.silent_openvino import load_openvino
from pipeline.types import ByteArray, FloatArray

if TYPE_CHECKING:
    import openvino
    import torch

_SHAPES_KEPT = 8


class Network(Protocol):
    """A network ready to run."""

    def __call__(self, batch_bgr: ByteArray) -> list[FloatArray]:
        """The outputs for uint8 (N, H, W, 3), valid after the next call too."""
        ...


@dataclass(frozen=True, slots=True)
class Normalisation:
    """How bytes become the network's input: ``(value - mean) / std``, in the network's colour order."""

    rgb: bool = False
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


class OpenVinoNetwork:
    """An OpenVINO model with one float32 NCHW image input of any size.

    One compiled network an input shape; the few last used are kept.

    Args:
        model: Taken over and changed.
        normalisation: Runs inside the compiled graph.
        threads: Inference threads.
    """

    def __init__(self, model: openvino.Model, normalisation: Normalisation, *, threads: int) -> None:
        ov = load_openvino()

        self._core = ov.Core()
        self._model = _with_byte_input(model, normalisation)
        self._properties = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
        }
        self._requests: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def __call__(self, batch_bgr: ByteArray) -> list[FloatArray]:
        request = self._request(batch_bgr.shape)
        request.infer([batch_bgr])
        return [np.array(tensor.data, np.float32) for tensor in request.output_tensors]

    def _request(self, shape: tuple[int, ...]) -> Any:
        if shape in self._requests:
            self._requests.move_to_end(shape)
            return self._requests[shape]
        model = self._model.clone()
        model.reshape(list(shape))
        request = self._core.compile_model(model, "CPU", self._properties).create_infer_request()
        self._requests[shape] = request
        if len(self._requests) > _SHAPES_KEPT:
            self._requests.popitem(last=False)
        return request


def _with_byte_input(model: openvino.Model, normalisation: Normalisation) -> openvino.Model:
    """The same network taking uint8 NHWC BGR: the conversion is fused into the first layer."""
    ov = load_openvino()
    from openvino.preprocess import ColorFormat, PrePostProcessor

    steps = PrePostProcessor(model)
    tensor = steps.input().tensor()
    tensor.set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC")).set_color_format(ColorFormat.BGR)
    steps.input().model().set_layout(ov.Layout("NCHW"))
    work = steps.input().preprocess().convert_element_type(ov.Type.f32)
    if normalisation.rgb:
        work.convert_color(ColorFormat.RGB)
    work.mean(list(normalisation.mean)).scale(list(normalisation.std))
    return steps.build()


def converted(module: torch.nn.Module) -> openvino.Model:
    """The module, taken over, as an OpenVINO model whose batch, height and width are open."""
    ov = load_openvino()
    import torch

    with warnings.catch_warnings():
        # torch deprecates tracing in favour of torch.export, which takes three times as long here.
        warnings.simplefilter("ignore", FutureWarning)
        frozen = module.eval().requires_grad_(False)
        traced = torch.jit.trace(frozen, torch.zeros(1, 3, 96, 64), check_trace=False)  # type: ignore[no-untyped-call]
        return ov.convert_model(traced, input=[ov.PartialShape([-1, 3, -1, -1])])


class TorchNetwork:
    """A torch module with one float32 NCHW image input, run in full single precision.

    Args:
        module: Taken over, moved to `device` and put in evaluation mode.
        normalisation: As for :class:`OpenVinoNetwork`.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
    """

    def __init__(self, module: torch.nn.Module, normalisation: Normalisation, *, device: str) -> None:
        import torch

        self._module = module.eval().requires_grad_(False).to(device)
        self._rgb = normalisation.rgb
        self._mean = torch.tensor(normalisation.mean, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(normalisation.std, device=device).view(1, 3, 1, 1)
        self._device = device

    def __call__(self, batch_bgr: ByteArray) -> list[FloatArray]:
        import torch

        images = torch.from_numpy(batch_bgr).to(self._device).permute(0, 3, 1, 2).float()
        images = (images.flip(1) if self._rgb else images).sub_(self._mean).div_(self._std)
        flags = torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        )
        with flags, torch.inference_mode():
            outputs: Sequence[torch.Tensor] = self._module(images)
        return [output.cpu().numpy() for output in outputs]
