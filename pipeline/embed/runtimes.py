"""Runs a network of crops to unit vectors, so that a face's result depends on that face alone.

Batch shapes are static. On the CPU it is OpenVINO in f32 with one face an inference and one thread a
stream: measured on one thread, batches of 4 and 8 gain nothing (see docs/decisions), and with one
face there are no batch mates to depend on. More threads run more faces at once, each still on one
thread, so that the numbers do not depend on how many there are. On CUDA it is torch without TF32.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipeline.silent_openvino import load_openvino
from pipeline.types import CROP_SIZE_PX, FloatArray

if TYPE_CHECKING:
    from torch import nn

CUDA_BATCH = 32


class EmbeddingRuntime(Protocol):
    """Executes one network."""

    def run(self, crops_rgb: FloatArray) -> FloatArray:
        """float32 (N, 3, 112, 112) in 0..255 to float32 (N, D), unit norm; any N, also 0."""
        ...

    def fingerprint(self) -> dict[str, str]:
        """What the bits of the result depend on, beside the weights: versions, instructions, shapes."""
        ...


class OpenVinoRuntime:
    """The network on the CPU.

    Args:
        network: float32 (N, 3, 112, 112) -> (N, D); converted here, afterwards not needed.
        threads: How many faces run at a time.
        batch: Faces per inference; the rest of the last one is padded.
    """

    def __init__(self, network: nn.Module, *, threads: int = 1, batch: int = 1) -> None:
        ov = load_openvino()

        if threads < 1 or batch < 1:
            raise ValueError(f"threads and batch must be positive, got {threads} and {batch}")
        self._batch = batch
        self._core = ov.Core()
        properties = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": threads,
        }
        compiled = self._core.compile_model(convert(network, batch), "CPU", properties)
        self._dim = int(compiled.output(0).get_shape()[1])
        self._queue = ov.AsyncInferQueue(compiled, threads)
        self._queue.set_callback(_keep_result)

    def run(self, crops_rgb: FloatArray) -> FloatArray:
        count = len(crops_rgb)
        padded = _padded(crops_rgb, self._batch)
        vectors = np.empty((len(padded), self._dim), np.float32)
        for start in range(0, len(padded), self._batch):
            rows = slice(start, start + self._batch)
            self._queue.start_async({0: padded[rows]}, vectors[rows])
        self._queue.wait_all()
        return vectors[:count]

    def fingerprint(self) -> dict[str, str]:
        ov = load_openvino()
        import torch

        capabilities = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return {
            "runtime": f"openvino {ov.__version__}",
            "converted_by": f"torch {torch.__version__}",
            "device": str(self._core.get_property("CPU", "FULL_DEVICE_NAME")),
            "instructions": f"{torch.backends.cpu.get_cpu_capability()} {' '.join(sorted(capabilities))}",
            "precision": "f32",
            "input_shape": f"{self._batch}x3x{CROP_SIZE_PX}x{CROP_SIZE_PX}",
            "threads_per_inference": "1",
        }


def _keep_result(request: Any, vectors: FloatArray) -> None:
    vectors[:] = request.get_output_tensor(0).data


def convert(network: nn.Module, batch: int) -> Any:
    """An `openvino.Model` of static shape with the weights of `network`."""
    ov = load_openvino()
    import torch

    example = torch.zeros(batch, 3, CROP_SIZE_PX, CROP_SIZE_PX)
    with warnings.catch_warnings():
        # torch deprecates tracing in favour of torch.export, with which the same conversion takes
        # four times as long.
        warnings.simplefilter("ignore", FutureWarning)
        frozen = network.eval().requires_grad_(False)
        traced = torch.jit.trace(frozen, example, check_trace=False)  # type: ignore[no-untyped-call]
        return ov.convert_model(traced, input=[ov.PartialShape(list(example.shape))])


class TorchRuntime:
    """The network in torch, on CUDA (or, for comparison, on the CPU).

    Args:
        network: float32 (N, 3, 112, 112) -> (N, D); moved to `device`.
        device: ``cuda``, ``cuda:1``, ``cpu``.
        batch: Faces per inference; the rest of the last one is padded.
    """

    def __init__(self, network: nn.Module, *, device: str = "cuda", batch: int = CUDA_BATCH) -> None:
        import torch

        self._device = torch.device(device)
        self._batch = batch
        self._network = network.eval().requires_grad_(False).to(self._device)

    def run(self, crops_rgb: FloatArray) -> FloatArray:
        import torch

        padded = torch.from_numpy(_padded(crops_rgb, self._batch))
        with _exact_arithmetic(), torch.inference_mode():
            parts = [self._network(part.to(self._device)).cpu() for part in torch.split(padded, self._batch)]
        vectors: FloatArray = torch.cat(parts).numpy()
        return vectors[: len(crops_rgb)]

    def fingerprint(self) -> dict[str, str]:
        import torch

        on_cuda = self._device.type == "cuda"
        return {
            "runtime": f"torch {torch.__version__}",
            "device": torch.cuda.get_device_name(self._device) if on_cuda else "cpu",
            "instructions": f"cuda {torch.version.cuda}"
            if on_cuda
            else torch.backends.cpu.get_cpu_capability(),
            "precision": "f32",
            "input_shape": f"{self._batch}x3x{CROP_SIZE_PX}x{CROP_SIZE_PX}",
        }


def _exact_arithmetic() -> Any:
    """cuDNN without TF32, with kernels chosen by shape and not by a stopwatch.

    Products of matrices are f32 in torch unless somebody has asked otherwise.
    """
    import torch

    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)


def _padded(crops: FloatArray, batch: int) -> FloatArray:
    """`crops` filled up with zeros to a whole number of batches, contiguous."""
    missing = -len(crops) % batch
    if missing:
        crops = np.concatenate([crops, np.zeros((missing, *crops.shape[1:]), np.float32)])
    return np.ascontiguousarray(crops, np.float32)
