"""YuNet (Wu, Peng, Yu, Machine Intelligence Research 20, 2023): small and quick, for the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pipeline.detect.batching import detect_batched
from pipeline.detect.candidates import Candidates
from pipeline.detect.cells import STRIDES_PX, decode_cells
from pipeline.detect.letterbox import check_size
from pipeline.detect.runtime import Normalisation, OpenVinoNetwork
from pipeline.errors import ModelFormatError
from pipeline.silent_openvino import load_openvino
from pipeline.types import ByteArray, Face, FloatArray

if TYPE_CHECKING:
    from pipeline.models import VerifiedModel

_OUTPUTS = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES_PX]


@dataclass(frozen=True, slots=True)
class YuNetOptions:
    """How YuNet is run.

    Attributes:
        size_px: Pictures with a longer side are reduced to this before detection; multiple of 32.
        min_score: Proposals below it are dropped, 0..1. The tracker puts unsure faces to use;
            who shows single pictures will want 0.6 and more.
        max_iou: Of two proposals that overlap more, the worse is dropped, 0..1.
        threads: Inference threads; fixed, so that results do not depend on the machine's load.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    size_px: int = 672
    min_score: float = 0.4
    max_iou: float = 0.3
    threads: int = 1

    def __post_init__(self) -> None:
        check_size(self.size_px)


class YuNetDetector:
    """A ``Detector`` over the published ONNX graph with dynamic shapes.

    Args:
        model: The opened card; its first file is the graph.
        options: How to run it.

    Raises:
        ModelFormatError: the file is not such a graph.
    """

    def __init__(self, model: VerifiedModel, options: YuNetOptions | None = None) -> None:
        self._options = options or YuNetOptions()
        self._detector_id = model.card.model_id
        self._network = _load(model, self._options.threads)

    @property
    def detector_id(self) -> str:
        return self._detector_id

    def detect(self, images_bgr: Sequence[ByteArray]) -> list[list[Face]]:
        """See ``pipeline.seams.Detector``. A picture without pixels has no faces."""
        o = self._options
        return detect_batched(images_bgr, self._propose, size_px=o.size_px, batch_size=1, max_iou=o.max_iou)

    def cells(self, images_bgr: ByteArray) -> FloatArray:
        """What the network says of every cell, for another with the same cells to learn from.

        Args:
            images_bgr: uint8 (N, H, W, 3), sides multiples of 32.

        Returns:
            float32 (N, C, 15): score 0..1, box, landmarks as :func:`~pipeline.detect.cells.decode_cells` has
            them; all cells of stride 8, then of 16, then of 32.
        """
        outputs = self._network(images_bgr)
        levels = len(STRIDES_PX)
        maps = [
            np.concatenate([_scores(cls, obj)[..., np.newaxis], bbox, kps], axis=2)
            for cls, obj, bbox, kps in (outputs[level::levels] for level in range(levels))
        ]
        return np.asarray(np.concatenate(maps, axis=1), np.float32)

    def _propose(self, batch_bgr: ByteArray) -> list[Candidates]:
        outputs = self._network(batch_bgr)
        columns_px = batch_bgr.shape[2]
        return [
            decode([output[row] for output in outputs], columns_px, self._options.min_score)
            for row in range(len(batch_bgr))
        ]


def _load(model: VerifiedModel, threads: int) -> OpenVinoNetwork:
    ov = load_openvino()

    path = model.main_path
    try:
        graph = ov.Core().read_model(path)
    except RuntimeError as error:
        raise ModelFormatError(f"{path} cannot be read as an ONNX graph: {error}") from error
    names = [output.any_name for output in graph.outputs]
    if names != _OUTPUTS:
        raise ModelFormatError(f"{path} is not a YuNet graph: its outputs are {', '.join(names)}")
    return OpenVinoNetwork(graph, Normalisation(), threads=threads)


def _scores(cls: FloatArray, obj: FloatArray) -> FloatArray:
    """float32 (…): of float32 (…, 1) each; as in OpenCV's ``FaceDetectorYN``."""
    return np.asarray(np.sqrt(np.clip(cls[..., 0], 0, 1) * np.clip(obj[..., 0], 0, 1)), np.float32)


def _decode_stride(maps: Sequence[FloatArray], stride: int, columns: int, min_score: float) -> Candidates:
    """Proposals of one feature map (one anchor a cell); `maps` are cls, obj, bbox, kps of (cells, C)."""
    cls, obj, bbox, kps = maps
    return decode_cells(_scores(cls, obj), bbox, kps, stride=stride, columns=columns, min_score=min_score)


def decode(outputs: Sequence[FloatArray], width_px: int, min_score: float) -> Candidates:
    """The proposals of one picture.

    Score = sqrt(class * objectness), as in OpenCV's ``FaceDetectorYN``; the rest is
    :func:`~pipeline.detect.cells.decode_cells`.

    Args:
        outputs: Twelve arrays (cells, 1 | 1 | 4 | 10): cls, obj, bbox, kps, each at stride 8, 16, 32.
        width_px: Width of the network's input.
        min_score: Lowest score kept, 0..1.
    """
    return Candidates.joined(
        [
            _decode_stride(outputs[level::3], stride, width_px // stride, min_score)
            for level, stride in enumerate(STRIDES_PX)
        ]
    )
