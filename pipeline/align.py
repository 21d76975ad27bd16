"""Cuts a face out of a picture in the one geometry that all embedders share.

Five landmarks are mapped onto the ArcFace template (Deng et al., CVPR 2019) by the least-squares
similarity transform (Umeyama, IEEE TPAMI 13(4), 1991). The two-dimensional case has a closed form,
worked out here in float64, so equal landmarks give an equal transform on every machine.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.types import CROP_SIZE_PX, ByteArray, FloatArray, check_array

DoubleArray = npt.NDArray[np.float64]

ARCFACE_TEMPLATE: DoubleArray = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""float64 (5, 2): where the landmarks lie in a 112x112 crop, in the order of ``Face.landmarks``."""
ARCFACE_TEMPLATE.setflags(write=False)

_MIN_SPREAD = 1e-3  # thinnest to widest direction of a point set: below, it is a line
_MIN_FIT = 1e-3  # correlation with the target: below, no rotation and scale relates the two at all
_MAX_STEP_PX = 4 / 3  # source pixels a crop pixel that bilinear sampling takes without aliasing
_MARGIN_PX = 2  # around the cut-out, so that its border never enters the interpolation


def _centred(name: str, points: npt.ArrayLike) -> tuple[DoubleArray, DoubleArray]:
    """The mean (2,) and the offsets from it (N, 2); refuses points that fix no orientation."""
    array = np.asarray(points, np.float64)
    if array.ndim != 2 or array.shape[1] != 2 or len(array) < 3:
        raise ValueError(f"{name} must be at least three points (N, 2), got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    mean = array.mean(axis=0)
    offsets = array - mean
    widest, thinnest = np.linalg.svd(offsets, compute_uv=False)
    if widest <= 1e-9 * max(1.0, float(np.abs(mean).max())):
        raise ValueError(f"{name} are degenerate: all points coincide")
    if thinnest < _MIN_SPREAD * widest:
        raise ValueError(f"{name} are degenerate: all points lie on one line")
    return mean, offsets


def similarity_transform(src: npt.ArrayLike, dst: npt.ArrayLike) -> DoubleArray:
    """The rotation, uniform scale and shift that map `src` onto `dst` with least squared error.

    With centred points p and q, the matrix [[a, -b], [b, a]] that minimises sum |A p - q|^2 has
    a = sum p.q / sum |p|^2 and b = sum p x q / sum |p|^2 (Umeyama 1991, equations 40 to 42, with
    reflections ruled out). No mirror image is ever returned.

    Args:
        src: (N, 2) points, N >= 3.
        dst: (N, 2) points.

    Returns:
        float64 (2, 3): ``dst ~ src @ m[:, :2].T + m[:, 2]``.

    Raises:
        ValueError: points coincide, lie on one line, or no such transform relates the two sets.
    """
    src_mean, p = _centred("source points", src)
    dst_mean, q = _centred("target points", dst)
    if p.shape != q.shape:
        raise ValueError(f"source and target must pair up, got {len(p)} and {len(q)} points")
    power = float((p * p).sum())
    a = float((p * q).sum()) / power
    b = float((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum()) / power
    if (a * a + b * b) * power < _MIN_FIT**2 * float((q * q).sum()):
        raise ValueError("source points are degenerate: no rotation and scale brings them near the target")
    linear = np.array([[a, -b], [b, a]])
    return np.column_stack([linear, dst_mean - linear @ src_mean])


def place(
    landmarks: npt.ArrayLike, height: int, width: int
) -> tuple[DoubleArray, tuple[int, int, int, int], float]:
    """Where the crop of a face comes from in a picture of this size.

    Args:
        landmarks: (5, 2) in pixels.
        height: Of the picture.
        width: Of the picture.

    Returns:
        The map (2, 3) from pixels of the window to pixels of the crop; the window x0, y0, x1, y1, of no
        width or height where the face lies outside; by how much it is to be reduced first, 1 or more.

    Raises:
        ValueError: the landmarks are degenerate.
    """
    matrix = similarity_transform(landmarks, ARCFACE_TEMPLATE)
    step = max(1.0, 1.0 / (float(np.hypot(matrix[0, 0], matrix[1, 0])) * _MAX_STEP_PX))
    window = _source_window(matrix, height, width, _MARGIN_PX * step)
    return compose(matrix, np.array([[1.0, 0.0, window[0]], [0.0, 1.0, window[1]]])), window, step


def _source_window(
    matrix: DoubleArray, height: int, width: int, margin_px: float
) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the part of the picture that the crop shows, cut at the picture's border."""
    corner = CROP_SIZE_PX - 1
    corners = np.array([[0, 0], [corner, 0], [0, corner], [corner, corner]]) - matrix[:, 2]
    back = np.linalg.solve(matrix[:, :2], corners.T).T
    low = np.floor(back.min(axis=0) - margin_px)
    high = np.ceil(back.max(axis=0) + margin_px) + 1
    x0, y0 = np.clip(low, 0, (width, height)).astype(int)
    x1, y1 = np.clip(high, 0, (width, height)).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def reduction(width: int, height: int, step: float) -> tuple[tuple[int, int], DoubleArray]:
    """Width and height of a window about `step` times smaller, and the matrix (2, 3) back to the window."""
    small_w, small_h = max(1, round(width / step)), max(1, round(height / step))
    fx, fy = width / small_w, height / small_h
    return (small_w, small_h), np.array([[fx, 0.0, (fx - 1) / 2], [0.0, fy, (fy - 1) / 2]])


def compose(outer: DoubleArray, inner: DoubleArray) -> DoubleArray:
    """The affine map `outer` after `inner`, each (2, 3)."""
    return np.asarray(outer @ np.vstack([inner, [0.0, 0.0, 1.0]]), np.float64)


def align(image_bgr: ByteArray, landmarks: FloatArray) -> ByteArray:
    """Cut the face with these landmarks, upright and at the one size.

    A face much larger than the crop is first reduced by area averaging: bilinear sampling alone
    would skip pixels and turn fine texture into noise. What lies outside the picture is black.

    Args:
        image_bgr: uint8 (H, W, 3).
        landmarks: float32 (5, 2) in pixels of `image_bgr`, in the order of ``Face.landmarks``.

    Returns:
        uint8 (112, 112, 3) RGB, geometry ``pipeline.types.ALIGN_VERSION``.

    Raises:
        ValueError: the landmarks are degenerate (coincide, on one line, mirrored) or the arrays
            have the wrong shape or dtype.
    """
    check_array("image_bgr", image_bgr, np.uint8, (None, None, 3))
    check_array("landmarks", landmarks, np.float32, (5, 2))
    matrix, (x0, y0, x1, y1), step = place(landmarks, *image_bgr.shape[:2])
    if x1 <= x0 or y1 <= y0:
        return np.zeros((CROP_SIZE_PX, CROP_SIZE_PX, 3), np.uint8)
    window = image_bgr[y0:y1, x0:x1]
    if step > 1.0:
        small, back = reduction(x1 - x0, y1 - y0, step)
        window = np.asarray(cv2.resize(window, small, interpolation=cv2.INTER_AREA), np.uint8)
        matrix = compose(matrix, back)
    crop = cv2.warpAffine(window, matrix, (CROP_SIZE_PX, CROP_SIZE_PX), flags=cv2.INTER_LINEAR)
    return np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB), np.uint8)
