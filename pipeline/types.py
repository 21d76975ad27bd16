"""The values that cross from one room to another.

All are frozen and check shape and dtype on construction, so that a mistake shows where it is made
and not three stages later. Times are integers in nanoseconds (``_ns``) until they are shown to a
person (``_s``). Pixels are ``_px`` of the full frame, x to the right and y down. Colour order is
part of the name (``_bgr``, ``_rgb``).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]

CROP_SIZE_PX = 112
ALIGN_VERSION = "arcface-112-v1"
"""Names the geometry of :data:`FaceCrop`: five points, similarity transform, ArcFace template."""


def check_array(name: str, value: object, dtype: type[np.generic], shape: tuple[int | None, ...]) -> None:
    """Raise ``ValueError`` unless `value` is an array of `dtype` and `shape` (``None`` is any length)."""
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{name} must be a numpy array, not {type(value).__name__}")
    fits = value.ndim == len(shape) and all(
        want is None or want == got for want, got in zip(shape, value.shape, strict=True)
    )
    if value.dtype != dtype or not fits:
        wanted = "x".join("?" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} must be {dtype.__name__} of {wanted}, got {value.dtype} of {value.shape}")


def _check_share(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:  # which NaN is not either
        raise ValueError(f"{name} must be 0..1, got {value}")


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if count < 0:
            raise ValueError(f"{name} must not be negative, got {count}")


def _check_finite(name: str, value: npt.NDArray[Any]) -> None:
    if not np.isfinite(value).all():
        raise ValueError(f"{name} must be finite")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture of one camera; its identity is (camera_id, stream_epoch, pts_ns).

    Attributes:
        camera_id: Which camera, or for a file its stem.
        stream_epoch: 0 for files; raised by every reconnect of a live camera.
        pts_ns: Presentation time since the epoch's first frame, in nanoseconds, never negative.
        captured_at_ns: Wall-clock time in nanoseconds since 1970 UTC, ``None`` where unknown.
        image_bgr: uint8 (H, W, 3). Crops are cut from this picture.
        detection_bgr: uint8 (h, w, 3), a smaller picture of the same scene at the same time to
            detect on (a camera's substream); ``None`` detects on `image_bgr`.
    """

    camera_id: str
    stream_epoch: int
    pts_ns: int
    captured_at_ns: int | None
    image_bgr: ByteArray
    detection_bgr: ByteArray | None = None

    def __post_init__(self) -> None:
        check_array("image_bgr", self.image_bgr, np.uint8, (None, None, 3))
        if self.detection_bgr is not None:
            check_array("detection_bgr", self.detection_bgr, np.uint8, (None, None, 3))
        if self.pts_ns < 0:
            raise ValueError(f"pts_ns must not be negative, got {self.pts_ns}")


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A detected face, in pixels of the picture that it was found in.

    Attributes:
        bbox: float32 (4,), x_min, y_min, x_max, y_max; may reach past the picture's border.
        landmarks: float32 (5, 2): the eye on the picture's left, the eye on its right, nose tip,
            mouth corner on the left, mouth corner on the right.
        score: The detector's confidence, 0..1.
    """

    bbox: FloatArray
    landmarks: FloatArray
    score: float

    def __post_init__(self) -> None:
        check_array("bbox", self.bbox, np.float32, (4,))
        check_array("landmarks", self.landmarks, np.float32, (5, 2))
        _check_finite("bbox", self.bbox)
        _check_finite("landmarks", self.landmarks)

    @property
    def width_px(self) -> float:
        return float(self.bbox[2] - self.bbox[0])

    @property
    def height_px(self) -> float:
        return float(self.bbox[3] - self.bbox[1])

    def scaled(self, factor_x: float, factor_y: float) -> Face:
        """The same face in a picture `factor_x` times as wide and `factor_y` times as high."""
        point = np.array([factor_x, factor_y], np.float32)
        return Face(self.bbox * np.tile(point, 2), self.landmarks * point, self.score)


@dataclass(frozen=True, slots=True)
class TrackedFace:
    """A face with the number of the track that it belongs to (unique within one stream epoch)."""

    track_id: int
    face: Face


@dataclass(frozen=True, slots=True)
class TrackUpdate:
    """What one frame did to the tracks: faces that belong to a track, and tracks that ended."""

    tracked: tuple[TrackedFace, ...] = ()
    ended: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a face can be recognised from one picture.

    Attributes:
        value: 0 (useless) .. 1 (as good as an enrollment photograph); picks and weights crops.
        reasons: Why the face must not be used at all, e.g. ``("too_small",)``; empty if usable.
        size_px: Distance between the eyes and mouth scaled to the side of an upright face box, px.
        sharpness: Variance of the Laplacian of the aligned crop's luma, 8-bit units squared.
        yaw_deg: Estimated from the landmarks; positive when the face turns to the picture's right.
        exposure: Mean luma of the aligned crop, 0..255.
    """

    value: float
    reasons: tuple[str, ...]
    size_px: float
    sharpness: float
    yaw_deg: float
    exposure: float

    @property
    def usable(self) -> bool:
        return not self.reasons


@dataclass(frozen=True, slots=True, order=True)
class TrackKey:
    """Names one track anywhere in the system; as text it is the message key on the bus."""

    camera_id: str
    stream_epoch: int
    track_id: int

    def __str__(self) -> str:
        return f"{self.camera_id}:{self.stream_epoch}:{self.track_id}"


@dataclass(frozen=True, slots=True, eq=False)
class FaceCrop:
    """One aligned face of a track, as it travels on the bus: lossless.

    Attributes:
        key: The track.
        sequence: 0, 1, 2 ... within the track; (key, sequence) names the crop.
        pts_ns: When, since the epoch's first frame.
        captured_at_ns: Wall-clock time, ``None`` where unknown.
        bbox: float32 (4,), pixels of the full frame.
        score: The detector's confidence.
        quality: 0..1, see :class:`Quality`.
        detector_id: Who found the face.
        image_rgb: uint8 (112, 112, 3), geometry :data:`ALIGN_VERSION`.
    """

    key: TrackKey
    sequence: int
    pts_ns: int
    captured_at_ns: int | None
    bbox: FloatArray
    score: float
    quality: float
    detector_id: str
    image_rgb: ByteArray

    def __post_init__(self) -> None:
        check_array("bbox", self.bbox, np.float32, (4,))
        _check_finite("bbox", self.bbox)
        _check_share("score", self.score)
        _check_share("quality", self.quality)
        _check_counts(sequence=self.sequence)
        check_array("image_rgb", self.image_rgb, np.uint8, (CROP_SIZE_PX, CROP_SIZE_PX, 3))


@dataclass(frozen=True, slots=True)
class TrackEnded:
    """The last word on a track, sent for every track and never shed.

    Attributes:
        key: The track.
        first_seen_ns: `pts_ns` of its first face; `last_seen_ns` of its last.
        started_at_ns: Wall-clock time of the epoch's first frame, ``None`` where unknown.
        frames: In how many frames it had a face.
        crops_sent: How many :class:`FaceCrop` messages precede this one.
        dropped_by_cause: Faces that were seen and not sent, counted by cause.
        detector_id: Who found the faces.
    """

    key: TrackKey
    first_seen_ns: int
    last_seen_ns: int
    started_at_ns: int | None
    frames: int
    crops_sent: int
    dropped_by_cause: Mapping[str, int]
    detector_id: str

    def __post_init__(self) -> None:
        _check_counts(frames=self.frames, crops_sent=self.crops_sent, **self.dropped_by_cause)


@dataclass(frozen=True, slots=True, order=True)
class TemplateKey:
    """What two embeddings must share to be comparable; index, templates and thresholds have one each."""

    model_id: str
    purifier_id: str
    align_version: str = ALIGN_VERSION

    def __str__(self) -> str:
        return f"{self.model_id}+{self.purifier_id}+{self.align_version}"


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """A face as a point on the unit sphere.

    Attributes:
        vector: float32 (D,), Euclidean norm 1 within 1e-3.
        key: Which embedder, purifier and alignment made it.
        purification_shift: 1 - cosine between the embeddings with and without purification, less what the
            crop's noise and exposure explain, 0..2; ``None`` where it was not measured.
        confidence: What the embedder expects the cosine between this embedding and that of the same face
            without blur, noise or attack to be, 0..1; ``None`` where it does not say.
    """

    vector: FloatArray
    key: TemplateKey
    purification_shift: float | None = None
    confidence: float | None = None

    def __post_init__(self) -> None:
        check_array("vector", self.vector, np.float32, (None,))
        _check_finite("vector", self.vector)
        norm = float(np.linalg.norm(self.vector))
        if not math.isclose(norm, 1.0, abs_tol=1e-3):
            raise ValueError(f"an embedding must have unit norm, got {norm:.4f}")
        if self.purification_shift is not None and not 0.0 <= self.purification_shift <= 2.0:
            raise ValueError(f"purification_shift must be 0..2, got {self.purification_shift}")
        if self.confidence is not None and not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"confidence must be 0..1, got {self.confidence}")


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedFace:
    """A :class:`FaceCrop` after purification and embedding, without its pixels."""

    key: TrackKey
    sequence: int
    pts_ns: int
    captured_at_ns: int | None
    bbox: FloatArray
    quality: float
    detector_id: str
    embedding: Embedding

    def __post_init__(self) -> None:
        check_array("bbox", self.bbox, np.float32, (4,))
        _check_finite("bbox", self.bbox)
        _check_share("quality", self.quality)
        _check_counts(sequence=self.sequence)


@dataclass(frozen=True, slots=True)
class Match:
    """A subject and the cosine similarity of its closest template to a probe, -1..1."""

    subject_id: str
    similarity: float


class Outcome(enum.StrEnum):
    """How a track ends: exactly one of these."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"
    LOW_QUALITY = "low_quality"
    SUSPECTED_ATTACK = "suspected_attack"


class Revision(enum.StrEnum):
    """A track's decisions in order: first evidence, changes, and the canonical last one."""

    NEW = "new"
    UPDATE = "update"
    END = "end"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a similarity names somebody, and when a face is a suspected attack.

    Attributes:
        match: A candidate at or above this similarity may be named.
        margin: ... if it leads the next subject by at least this much (else `ambiguous`).
        votes: ... and if crops with at least this share of the track's quality name it by themselves.
        by_subject: Overrides of `match` for subjects on watch lists that set their own.
        origin: Where the numbers come from, for the record: ``card`` or ``calibration:<id>``.
        evidence: Attack evidence above it is a suspected attack, 0..2; ``None``: not calibrated, so
            that nothing is.
    """

    match: float
    margin: float
    votes: float = 0.5
    by_subject: Mapping[str, float] = field(default_factory=dict)
    origin: str = "card"
    evidence: float | None = None

    def for_subject(self, subject_id: str) -> float:
        return self.by_subject.get(subject_id, self.match)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a track's evidence says; `reason` is one plain sentence for the operator.

    `attack_evidence` is 0..2, see ``pipeline.evidence``; ``None`` where it was not measured.
    """

    outcome: Outcome
    subject_id: str | None
    candidate_id: str | None
    similarity: float | None
    runner_up: float | None
    margin: float | None
    threshold: float
    threshold_origin: str
    votes: float
    reason: str
    attack_evidence: float | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """One decision about one track. Holds no processing time, so that equal decisions are equal bytes.

    `revision_number` counts a track's decisions from 0. `threshold_origin` says who set the threshold.
    `similarity` belongs to `candidate_id`, the nearest subject, whether or not it was named;
    `runner_up` is the similarity of the next subject; `subject_id` is set only for `known`.
    `attack_evidence` is ``None`` where it was not measured. `first_seen_s` and `last_seen_s` count
    from the epoch's first frame; the `_at` fields are ISO 8601 UTC where wall time is known.
    """

    decision_id: str
    run_id: str
    revision: Revision
    revision_number: int
    camera_id: str
    stream_epoch: int
    track_id: int
    outcome: Outcome
    subject_id: str | None
    candidate_id: str | None
    similarity: float | None
    runner_up: float | None
    margin: float | None
    threshold: float
    threshold_origin: str
    votes: float
    first_seen_s: float
    last_seen_s: float
    first_seen_at: str | None
    last_seen_at: str | None
    frames: int
    crops: int
    dropped_by_cause: Mapping[str, int]
    attack_evidence: float | None
    detector: str
    embedder: str
    purifier: str
    align_version: str
    gallery_epoch: int
    reason: str
