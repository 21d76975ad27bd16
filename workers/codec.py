"""Messages to bytes and back: the only serialisation in the system, whatever the bus.

MessagePack with named fields. Headers carry the schema's name and ``major.minor`` version. Adding
a field with a default is a minor change and old readers skip it; anything else is a new major
version, which old readers refuse (:class:`UnknownSchema`). Arrays travel as little-endian bytes
whose length must fit their fixed shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from pipeline.errors import MalformedMessage, UnknownSchema
from pipeline.types import (
    CROP_SIZE_PX,
    ByteArray,
    EmbeddedFace,
    Embedding,
    FaceCrop,
    FloatArray,
    Sighting,
    TemplateKey,
    TrackEnded,
    TrackKey,
)

Message = FaceCrop | TrackEnded | EmbeddedFace | Sighting
Headers = tuple[tuple[str, bytes], ...]

SCHEMA_HEADER = "schema"
VERSION_HEADER = "version"


@dataclass(frozen=True, slots=True)
class Encoded:
    """A message as it lies on a topic; messages with equal `key` keep their order."""

    key: bytes
    headers: Headers
    value: bytes


class _Crop(msgspec.Struct):
    camera_id: str
    stream_epoch: int
    track_id: int
    sequence: int
    pts_ns: int
    captured_at_ns: int | None
    bbox: bytes
    score: float
    quality: float
    detector_id: str
    image_rgb: bytes


class _Ended(msgspec.Struct):
    camera_id: str
    stream_epoch: int
    track_id: int
    first_seen_ns: int
    last_seen_ns: int
    started_at_ns: int | None
    frames: int
    crops_sent: int
    dropped_by_cause: dict[str, int]
    detector_id: str


class _Embedded(msgspec.Struct):
    camera_id: str
    stream_epoch: int
    track_id: int
    sequence: int
    pts_ns: int
    captured_at_ns: int | None
    bbox: bytes
    quality: float
    detector_id: str
    vector: bytes
    model_id: str
    purifier_id: str
    align_version: str
    purification_shift: float | None
    confidence: float | None = None


def _floats(data: bytes) -> FloatArray:
    return np.frombuffer(data, "<f4").astype(np.float32)


def _bytes(array: FloatArray) -> bytes:
    return array.astype("<f4").tobytes()


def _image(data: bytes) -> ByteArray:
    return np.frombuffer(data, np.uint8).reshape(CROP_SIZE_PX, CROP_SIZE_PX, 3)


def _from_crop(m: FaceCrop) -> _Crop:
    return _Crop(
        m.key.camera_id,
        m.key.stream_epoch,
        m.key.track_id,
        m.sequence,
        m.pts_ns,
        m.captured_at_ns,
        _bytes(m.bbox),
        m.score,
        m.quality,
        m.detector_id,
        m.image_rgb.tobytes(),
    )


def _to_crop(w: _Crop) -> FaceCrop:
    return FaceCrop(
        key=TrackKey(w.camera_id, w.stream_epoch, w.track_id),
        sequence=w.sequence,
        pts_ns=w.pts_ns,
        captured_at_ns=w.captured_at_ns,
        bbox=_floats(w.bbox),
        score=w.score,
        quality=w.quality,
        detector_id=w.detector_id,
        image_rgb=_image(w.image_rgb),
    )


def _from_ended(m: TrackEnded) -> _Ended:
    return _Ended(
        m.key.camera_id,
        m.key.stream_epoch,
        m.key.track_id,
        m.first_seen_ns,
        m.last_seen_ns,
        m.started_at_ns,
        m.frames,
        m.crops_sent,
        dict(sorted(m.dropped_by_cause.items())),
        m.detector_id,
    )


def _to_ended(w: _Ended) -> TrackEnded:
    return TrackEnded(
        key=TrackKey(w.camera_id, w.stream_epoch, w.track_id),
        first_seen_ns=w.first_seen_ns,
        last_seen_ns=w.last_seen_ns,
        started_at_ns=w.started_at_ns,
        frames=w.frames,
        crops_sent=w.crops_sent,
        dropped_by_cause=w.dropped_by_cause,
        detector_id=w.detector_id,
    )


def _from_embedded(m: EmbeddedFace) -> _Embedded:
    return _Embedded(
        m.key.camera_id,
        m.key.stream_epoch,
        m.key.track_id,
        m.sequence,
        m.pts_ns,
        m.captured_at_ns,
        _bytes(m.bbox),
        m.quality,
        m.detector_id,
        _bytes(m.embedding.vector),
        m.embedding.key.model_id,
        m.embedding.key.purifier_id,
        m.embedding.key.align_version,
        m.embedding.purification_shift,
        m.embedding.confidence,
    )


def _to_embedded(w: _Embedded) -> EmbeddedFace:
    key = TemplateKey(w.model_id, w.purifier_id, w.align_version)
    return EmbeddedFace(
        key=TrackKey(w.camera_id, w.stream_epoch, w.track_id),
        sequence=w.sequence,
        pts_ns=w.pts_ns,
        captured_at_ns=w.captured_at_ns,
        bbox=_floats(w.bbox),
        quality=w.quality,
        detector_id=w.detector_id,
        embedding=Embedding(_floats(w.vector), key, w.purification_shift, w.confidence),
    )


@dataclass(frozen=True, slots=True)
class _Schema:
    """How one kind of message is written; a :class:`Sighting` is plain data and is its own wire form."""

    name: str
    major: int
    minor: int
    wire: type
    to_wire: Callable[[Any], Any]
    from_wire: Callable[[Any], Message]
    key: Callable[[Any], str]


def _track_key(message: FaceCrop | TrackEnded | EmbeddedFace) -> str:
    return str(message.key)


def _same(message: Any) -> Any:
    return message


SCHEMAS: dict[type, _Schema] = {
    FaceCrop: _Schema("face-crop", 1, 0, _Crop, _from_crop, _to_crop, _track_key),
    TrackEnded: _Schema("track-ended", 1, 0, _Ended, _from_ended, _to_ended, _track_key),
    EmbeddedFace: _Schema("embedded-face", 1, 1, _Embedded, _from_embedded, _to_embedded, _track_key),
    Sighting: _Schema("sighting", 1, 0, Sighting, _same, _same, lambda m: m.camera_id),
}
_BY_NAME = {schema.name: schema for schema in SCHEMAS.values()}


def encode(message: Message) -> Encoded:
    """The bytes of a message; equal messages give equal bytes."""
    schema = SCHEMAS[type(message)]
    headers = (
        (SCHEMA_HEADER, schema.name.encode()),
        (VERSION_HEADER, f"{schema.major}.{schema.minor}".encode()),
    )
    value = msgspec.msgpack.encode(schema.to_wire(message), order="deterministic")
    return Encoded(schema.key(message).encode(), headers, value)


def decode(encoded: Encoded) -> Message:
    """The message in these bytes.

    Raises:
        UnknownSchema: the headers name no schema, or a major version, that we know.
        MalformedMessage: the bytes do not decode, or a value breaks its bound.
    """
    schema = _schema_of(dict(encoded.headers))
    try:
        return schema.from_wire(msgspec.msgpack.decode(encoded.value, type=schema.wire))
    except (msgspec.MsgspecError, ValueError) as error:
        raise MalformedMessage(f"a {schema.name} message does not decode: {error}") from error


def _schema_of(headers: dict[str, bytes]) -> _Schema:
    name = headers.get(SCHEMA_HEADER, b"").decode(errors="replace")
    version = headers.get(VERSION_HEADER, b"").decode(errors="replace")
    schema = _BY_NAME.get(name)
    if schema is None:
        raise UnknownSchema(f"a message names the schema {name!r}; known are {', '.join(sorted(_BY_NAME))}")
    if version.partition(".")[0] != str(schema.major):
        raise UnknownSchema(f"a {name} message has version {version!r}; this program reads {schema.major}.x")
    return schema
