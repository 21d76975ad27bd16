"""Attack evidence of single crops: how far purification moves embeddings, beyond what the picture explains.

A noisy camera's faces are moved as well, but by strong noise: an attack of 8/255 moves an embedding further
than noise that is several times as strong. Faces that are far too dark or too bright are moved without any
noise. What noise of a crop's own strength and its exposure explain is therefore taken off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.seams import FaceEmbedder
from pipeline.types import ByteArray, Embedding, FloatArray, TemplateKey

NOISE_SHIFT = 0.02
"""What each grey level of luma noise explains, chosen on fold 4 of LFW
(docs/decisions/0066-noise-explains-a-part-of-the-shift.md)."""

EXPOSURE_SHIFT = 0.003
"""What each grey level of mean luma beyond `USUAL_LUMA` explains, chosen on folds 1 to 4 of LFW
(docs/decisions/0067-exposure-explains-a-part-of-the-shift.md)."""

USUAL_LUMA = (100, 150)
"""Mean luma of a face that is neither dark nor bright, 8-bit units."""

LUMA = (77, 150, 29)
"""BT.601 in 256ths: whole numbers, so that sums are exact on any machine."""


class EvidenceEmbedder:
    """Embeds every crop behind the purifier and without it, and says by how much the two differ.

    The vectors are those of `purified`, to the bit; `bare` only fills in ``purification_shift``. Both
    are embedders by themselves, so that what they promise (a crop's result depends on it alone) holds
    for the shift as well. Costs one more embedding a crop.

    Args:
        purified: What decides: the network behind its purifier.
        bare: The same network without a purifier.

    Raises:
        ValueError: the two are not the same network, or do not differ in their purifier.
    """

    def __init__(self, purified: FaceEmbedder, bare: FaceEmbedder) -> None:
        one, other = purified.key, bare.key
        if (one.model_id, one.align_version) != (other.model_id, other.align_version):
            raise ValueError(f"{one} and {other} are not the same network on the same crops")
        if one.purifier_id == other.purifier_id:
            raise ValueError(f"evidence compares two purifiers, and both are {one.purifier_id}")
        self._purified = purified
        self._bare = bare

    @property
    def key(self) -> TemplateKey:
        return self._purified.key

    @property
    def dim(self) -> int:
        return self._purified.dim

    def embed(self, crops_rgb: Sequence[ByteArray]) -> list[Embedding]:
        """One unit vector a crop, uint8 (112, 112, 3) RGB each, with its ``purification_shift``.

        Raises:
            ValueError: a crop has another shape or dtype.
        """
        purified, bare = self._purified.embed(crops_rgb), self._bare.embed(crops_rgb)
        return [
            Embedding(
                with_it.vector,
                with_it.key,
                purification_shift(with_it.vector, without.vector, explained_shift(crop)),
                with_it.confidence,
            )
            for with_it, without, crop in zip(purified, bare, crops_rgb, strict=True)
        ]


def purification_shift(purified: FloatArray, bare: FloatArray, explained: float) -> float:
    """1 - cosine of two embeddings of one crop, less what is explained: 0 (all of it) .. 2 (opposite).

    Computed in float64, in which products of float32 are exact.

    Args:
        purified: float32 (D,).
        bare: float32 (D,).
        explained: Of the crop, from :func:`explained_shift`.
    """
    one, other = purified.astype(np.float64), bare.astype(np.float64)
    cosine = float(one @ other) / float(np.sqrt((one @ one) * (other @ other)))
    return float(np.clip(1.0 - cosine - explained, 0.0, 2.0))


def explained_shift(crop_rgb: ByteArray) -> float:
    """How far purification moves a crop that nobody attacked, for its noise and its exposure; from 0.

    Args:
        crop_rgb: uint8 (H, W, 3), H and W at least 3.
    """
    return NOISE_SHIFT * noise_255(crop_rgb) + EXPOSURE_SHIFT * misexposure_255(crop_rgb)


def misexposure_255(crop_rgb: ByteArray) -> float:
    """Grey levels by which the mean luma of a crop, uint8 (H, W, 3), lies outside `USUAL_LUMA`; 0 within."""
    total = int((crop_rgb.astype(np.int64) @ np.array(LUMA)).sum())
    mean = total / (256 * crop_rgb.shape[0] * crop_rgb.shape[1])
    dark, bright = USUAL_LUMA
    return float(max(dark - mean, mean - bright, 0.0))


def noise_255(crop_rgb: ByteArray) -> float:
    """Standard deviation of the white noise in a crop's luma, 8-bit units.

    Immerkaer, "Fast Noise Variance Estimation", Computer Vision and Image Understanding 64(2), 1996: the
    mean size of the second difference along both axes, to which a picture's edges contribute little.

    Args:
        crop_rgb: uint8 (H, W, 3), H and W at least 3.
    """
    luma = crop_rgb.astype(np.int64) @ np.array(LUMA)
    differences: npt.NDArray[np.int64] = np.diff(np.diff(luma, n=2, axis=0), n=2, axis=1)
    total = int(np.abs(differences).sum())
    return math.sqrt(math.pi / 2) * total / (6 * 256 * differences.size)
