"""Bytes on the bus: round trips, refusals, and the exact bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import CodecError, MalformedMessage, UnknownSchema
from pipeline.types import EmbeddedFace, FaceCrop, Revision, Sighting, TrackEnded, TrackKey
from workers.codec import Encoded, decode, encode

Make = Callable[..., object]

SIGHTING = Sighting(
    decision_id="0" * 32,
    run_id="run",
    revision=Revision.END,
    revision_number=1,
    camera_id="gate",
    stream_epoch=0,
    track_id=1,
    outcome="unknown",  # type: ignore[arg-type]
    subject_id=None,
    candidate_id="s1",
    similarity=0.25,
    runner_up=None,
    margin=None,
    threshold=0.5,
    threshold_origin="card",
    votes=0.0,
    first_seen_s=0.0,
    last_seen_s=1.0,
    first_seen_at=None,
    last_seen_at=None,
    frames=25,
    crops=1,
    dropped_by_cause={"blurred": 4},
    attack_evidence=None,
    detector="detector@11111111",
    embedder="embedder@00000000",
    purifier="none",
    align_version="arcface-112-v1",
    gallery_epoch=3,
    reason="because",
)


def test_a_crop_survives_to_the_last_bit(crop: Callable[..., FaceCrop]) -> None:
    sent = crop()
    got = decode(encode(sent))
    assert isinstance(got, FaceCrop)
    assert (got.key, got.sequence, got.pts_ns, got.score) == (
        sent.key,
        sent.sequence,
        sent.pts_ns,
        sent.score,
    )
    assert np.array_equal(got.image_rgb, sent.image_rgb)
    assert np.array_equal(got.bbox, sent.bbox)


def test_an_embedding_survives_to_the_last_bit(embedded: Callable[..., EmbeddedFace]) -> None:
    sent = embedded((0.3, -0.7, 0.1))
    got = decode(encode(sent))
    assert isinstance(got, EmbeddedFace)
    assert got.embedding.vector.tobytes() == sent.embedding.vector.tobytes()
    assert got.embedding.key == sent.embedding.key


def test_the_end_of_a_track_survives(ended: Callable[..., TrackEnded]) -> None:
    assert decode(encode(ended())) == ended()


def test_a_sighting_survives() -> None:
    assert decode(encode(SIGHTING)) == SIGHTING


def test_one_track_has_one_key(
    crop: Callable[..., FaceCrop], embedded: Callable[..., EmbeddedFace], ended: Callable[..., TrackEnded]
) -> None:
    keys = {encode(message).key for message in (crop(), crop(sequence=5), embedded(), ended())}
    assert keys == {str(TrackKey("gate", 0, 1)).encode()}
    assert encode(SIGHTING).key == b"gate"


def test_confidence_survives_and_is_not_in_what_version_1_0_wrote(
    embedded: Callable[..., EmbeddedFace],
) -> None:
    plain = embedded((0.3, -0.7, 0.1))
    sure = replace(plain, embedding=replace(plain.embedding, confidence=0.75))
    got = decode(encode(sure))
    assert isinstance(got, EmbeddedFace)
    assert got.embedding.confidence == 0.75
    encoded = encode(sure)
    document = msgspec.msgpack.decode(encoded.value)
    del document["confidence"]
    value = msgspec.msgpack.encode(document)
    headers = (("schema", b"embedded-face"), ("version", b"1.0"))
    old = decode(Encoded(encoded.key, headers, value))
    assert isinstance(old, EmbeddedFace)
    assert old.embedding.confidence is None
    assert old.embedding.vector.tobytes() == plain.embedding.vector.tobytes()


def test_what_version_1_0_wrote_of_an_embedding_does_not_change(
    embedded: Callable[..., EmbeddedFace],
) -> None:
    document = msgspec.msgpack.decode(encode(embedded()).value)
    assert document.pop("confidence") is None
    value = msgspec.msgpack.encode(document)
    assert hashlib.sha256(value).hexdigest()[:16] == "bb40fd6b5a3c6167"


def test_the_bytes_do_not_change(
    crop: Callable[..., FaceCrop], embedded: Callable[..., EmbeddedFace], ended: Callable[..., TrackEnded]
) -> None:
    """A recorded topic must stay readable: change these digests only together with a version."""
    digests = {
        type(message).__name__: hashlib.sha256(encode(message).value).hexdigest()[:16]
        for message in (crop(), embedded(), ended(), SIGHTING)
    }
    assert digests == {
        "FaceCrop": "58d73ae3773b4178",
        "EmbeddedFace": "dc936705aea19d49",
        "TrackEnded": "2078e57dbbe6029e",
        "Sighting": "2eb4746f2f457908",
    }


def test_a_later_minor_version_with_a_new_field_is_read(ended: Callable[..., TrackEnded]) -> None:
    encoded = encode(ended())
    document = msgspec.msgpack.decode(encoded.value) | {"mood": "calm"}
    headers = (("schema", b"track-ended"), ("version", b"1.7"))
    assert decode(Encoded(encoded.key, headers, msgspec.msgpack.encode(document))) == ended()


@pytest.mark.parametrize(
    "headers",
    [(), (("schema", b"gossip"), ("version", b"1.0")), (("schema", b"face-crop"), ("version", b"2.0"))],
)
def test_a_strange_schema_is_refused_by_name(
    headers: tuple[tuple[str, bytes], ...], crop: Callable[..., FaceCrop]
) -> None:
    with pytest.raises(UnknownSchema):
        decode(Encoded(b"k", headers, encode(crop()).value))


def test_a_crop_of_another_shape_is_refused(crop: Callable[..., FaceCrop]) -> None:
    encoded = encode(crop())
    document = msgspec.msgpack.decode(encoded.value)
    document["image_rgb"] = document["image_rgb"][:-3]
    with pytest.raises(MalformedMessage, match="face-crop"):
        decode(Encoded(encoded.key, encoded.headers, msgspec.msgpack.encode(document)))


def test_an_embedding_of_nan_is_refused(embedded: Callable[..., EmbeddedFace]) -> None:
    encoded = encode(embedded())
    document = msgspec.msgpack.decode(encoded.value)
    document["vector"] = np.array([np.nan, 0], "<f4").tobytes()
    with pytest.raises(MalformedMessage, match="finite"):
        decode(Encoded(encoded.key, encoded.headers, msgspec.msgpack.encode(document)))


@given(st.binary(max_size=200), st.sampled_from(["face-crop", "embedded-face", "track-ended", "sighting"]))
def test_random_bytes_never_do_worse_than_a_codec_error(value: bytes, schema: str) -> None:
    headers = (("schema", schema.encode()), ("version", b"1.0"))
    with pytest.raises(CodecError):
        decode(Encoded(b"k", headers, value))


@given(st.data())
def test_a_truncated_message_is_refused(data: st.DataObject) -> None:
    encoded = encode(SIGHTING)
    cut = data.draw(st.integers(0, len(encoded.value) - 1))
    with pytest.raises(CodecError):
        decode(Encoded(encoded.key, encoded.headers, encoded.value[:cut]))
