"""From checked model files to a running detector. The one place that knows every architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import ModelFormatError
from pipeline.seams import Detector

if TYPE_CHECKING:
    from pipeline.models import VerifiedModel


def load_detector(
    model: VerifiedModel, *, size_px: int, min_score: float, threads: int = 1, device: str = "cpu"
) -> Detector:
    """The detector of a card.

    Args:
        model: From ``catalogue.open(name, ModelKind.DETECTOR)``.
        size_px: Pictures with a longer side are reduced to this; a multiple of 32.
        min_score: Faces below this confidence are dropped, 0..1.
        threads: Inference threads on the CPU.
        device: ``cpu``, ``cuda`` or ``cuda:N``; the small ones always run on the CPU.

    Raises:
        ModelFormatError: the file cannot be loaded as what its card says it is.
    """
    match model.card.architecture:
        case "yunet":
            from pipeline.detect.yunet import YuNetDetector, YuNetOptions

            return YuNetDetector(model, YuNetOptions(size_px=size_px, min_score=min_score, threads=threads))
        case "compact":
            from pipeline.detect.compact import CompactDetector

            return CompactDetector(model, size_px=size_px, min_score=min_score, threads=threads)
        case "retinaface_resnet50" | "retinaface_mobilenet0.25":
            from pipeline.detect.retinaface import RetinaFaceDetector, RetinaFaceOptions

            options = RetinaFaceOptions(size_px=size_px, min_score=min_score, threads=threads, device=device)
            return RetinaFaceDetector(model, options)
        case unknown:
            raise ModelFormatError(f"{model.card.name}: no loader for detectors of architecture {unknown!r}")
