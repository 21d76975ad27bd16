"""RetinaFace (Deng et al., CVPR 2020) with the priors and the decoding of retinaface-pytorch."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from pipeline.detect.batching import detect_batched
from pipeline.detect.candidates import Candidates
from pipeline.detect.letterbox import check_size
from pipeline.detect.runtime import Network, Normalisation, OpenVinoNetwork, TorchNetwork, converted
from pipeline.errors import ModelError, ModelFormatError
from pipeline.types import ByteArray, Face, FloatArray

if TYPE_CHECKING:
    import torch

    from pipeline.models import VerifiedModel


@dataclass(frozen=True, slots=True)
class RetinaFaceOptions:
    """How RetinaFace is run.

    Attributes:
        size_px: Pictures with a longer side are reduced to this before detection; multiple of 32.
        min_score: Proposals below it are dropped, 0..1.
        max_iou: Of two proposals that overlap more, the worse is dropped, 0..1.
        batch_size: Pictures that the network takes at once; missing ones are filled up with black,
            so on a CPU more than 1 pays only if that many always come together.
        threads: Inference threads on the CPU.
        device: ``cpu`` (OpenVINO), or ``cuda`` / ``cuda:N`` (torch).
        runtime: Overrides the runtime that `device` implies.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    size_px: int = 960
    min_score: float = 0.4
    max_iou: float = 0.4
    batch_size: int = 1
    threads: int = 1
    device: str = "cpu"
    runtime: Literal["auto", "openvino", "torch"] = "auto"

    def __post_init__(self) -> None:
        check_size(self.size_px)
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")


@dataclass(frozen=True, slots=True)
class Anchors:
    """The boxes that offsets refer to.

    Attributes:
        sizes_px: For each stride the sides of its square boxes.
        strides_px: Cell sizes of the feature maps.
        variances: Scale of centre offsets and of size offsets.
    """

    sizes_px: tuple[tuple[int, ...], ...]
    strides_px: tuple[int, ...]
    variances: tuple[float, float]


class RetinaFaceDetector:
    """A ``Detector`` over either RetinaFace network.

    Args:
        model: The opened card: `architecture` chooses the network, `input` the normalisation,
            `options` the anchors; its first file is the checkpoint.
        options: How to run it.

    Raises:
        ModelError: retinaface-pytorch is not installed.
        ModelFormatError: the checkpoint does not fit the network, or the card lacks something.
    """

    def __init__(self, model: VerifiedModel, options: RetinaFaceOptions | None = None) -> None:
        self._options = options or RetinaFaceOptions()
        self._detector_id = model.card.model_id
        self._anchors = _anchors_of(model)
        self._network = _load(model, self._options)

    @property
    def detector_id(self) -> str:
        return self._detector_id

    def detect(self, images_bgr: Sequence[ByteArray]) -> list[list[Face]]:
        """See ``pipeline.seams.Detector``. A picture without pixels has no faces."""
        o = self._options
        return detect_batched(
            images_bgr, self._propose, size_px=o.size_px, batch_size=o.batch_size, max_iou=o.max_iou
        )

    def _propose(self, batch_bgr: ByteArray) -> list[Candidates]:
        shape = (batch_bgr.shape[1], batch_bgr.shape[2])
        outputs = self._network(batch_bgr)
        return [
            decode(row, self._anchors, shape, self._options.min_score) for row in zip(*outputs, strict=True)
        ]


@functools.lru_cache(maxsize=8)
def _priors(anchors: Anchors, input_px: tuple[int, int]) -> torch.Tensor:
    """float32 (P, 4): centre and size of every prior, as shares of the input's width and height."""
    from retinaface.prior_box import priorbox

    priors: torch.Tensor = priorbox(anchors.sizes_px, anchors.strides_px, clip=False, image_size=input_px)
    return priors


def decode(
    outputs: Sequence[FloatArray], anchors: Anchors, input_px: tuple[int, int], min_score: float
) -> Candidates:
    """The proposals of one picture.

    Args:
        outputs: (P, 4) offsets of centre and log size; (P,) probabilities; (P, 10) landmark offsets.
        anchors: Of the network.
        input_px: Height and width of the network's input.
        min_score: Lowest score kept, 0..1.
    """
    import torch
    from retinaface import box_utils

    boxes, scores, landmarks = outputs
    which = np.flatnonzero(scores >= min_score)
    priors = _priors(anchors, input_px)[torch.from_numpy(which)]
    variances = list(anchors.variances)
    corners = box_utils.decode(torch.from_numpy(boxes[which]), priors, variances).numpy()
    points = box_utils.decode_landm(torch.from_numpy(landmarks[which]), priors, variances).numpy()
    side_px = np.array(input_px[::-1], np.float32)
    return Candidates(corners * np.tile(side_px, 2), points.reshape(-1, 5, 2) * side_px, scores[which])


def _anchors_of(model: VerifiedModel) -> Anchors:
    options: Mapping[str, Any] = model.card.options
    try:
        first, second = options["variances"]
        return Anchors(
            tuple(tuple(int(size) for size in sizes) for sizes in options["anchor_sizes_px"]),
            tuple(int(stride) for stride in options["strides"]),
            (float(first), float(second)),
        )
    except (KeyError, TypeError, ValueError) as error:
        wanted = "strides, anchor_sizes_px and variances"
        raise ModelFormatError(f"the card {model.card.name} needs the options {wanted}: {error!r}") from error


def _normalisation_of(model: VerifiedModel) -> Normalisation:
    spec = model.card.input
    if spec is None:
        raise ModelFormatError(f"the card {model.card.name} needs `input`, with colour order, mean and std")
    return Normalisation(spec.colour_order == "rgb", spec.mean, spec.std)


def build_module(model: VerifiedModel) -> torch.nn.Module:
    """The card's network with its weights, in evaluation mode; see :class:`ScoredRetinaFace` for shapes.

    Raises:
        ModelError: retinaface-pytorch is not installed.
        ModelFormatError: the checkpoint does not fit the network.
    """
    from pipeline.detect.checkpoint import load_state_dict

    try:
        from pipeline.detect.retinaface_networks import ARCHITECTURES, ScoredRetinaFace
    except ImportError as error:
        raise ModelError(
            f"the detector {model.card.name} needs retinaface-pytorch ({error}); "
            "install it with `pip install --no-deps retinaface-pytorch==0.0.7`, beside torchvision"
        ) from error
    if model.card.architecture not in ARCHITECTURES:
        raise ModelFormatError(
            f"the card {model.card.name}: no RetinaFace is called {model.card.architecture!r}"
        )
    network = ARCHITECTURES[model.card.architecture]()
    try:
        network.load_state_dict(load_state_dict(model.main_path))
    except RuntimeError as error:
        raise ModelFormatError(
            f"{model.main_path} does not fit {model.card.architecture}: {error}"
        ) from error
    return ScoredRetinaFace(network).eval()


def _load(model: VerifiedModel, options: RetinaFaceOptions) -> Network:
    normalisation, module = _normalisation_of(model), build_module(model)
    runtime = options.runtime
    if runtime == "auto":
        runtime = "openvino" if options.device == "cpu" else "torch"
    if runtime == "torch":
        return TorchNetwork(module, normalisation, device=options.device)
    return OpenVinoNetwork(converted(module), normalisation, threads=options.threads)
