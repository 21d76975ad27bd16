"""What every face embedder must do; subclass with an `embedder` and a `crops` fixture (4 or more)."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.seams import FaceEmbedder
from pipeline.types import ByteArray, Embedding


def vectors(embeddings: list[Embedding]) -> np.ndarray:
    return np.stack([embedding.vector for embedding in embeddings])


class EmbedderContract:
    """Unit vectors that depend on their own crop only, to the bit."""

    def test_no_crops_give_no_embeddings(self, embedder: FaceEmbedder) -> None:
        assert embedder.embed([]) == []

    def test_unit_vectors_under_the_embedders_key(
        self, embedder: FaceEmbedder, crops: list[ByteArray]
    ) -> None:
        embedded = embedder.embed(crops)
        assert len(embedded) == len(crops)
        assert {embedding.key for embedding in embedded} == {embedder.key}
        assert vectors(embedded).shape == (len(crops), embedder.dim)
        assert np.allclose(np.linalg.norm(vectors(embedded), axis=1), 1.0, atol=1e-5)

    def test_order_is_kept(self, embedder: FaceEmbedder, crops: list[ByteArray]) -> None:
        forwards, backwards = embedder.embed(crops), embedder.embed(crops[::-1])
        assert np.array_equal(vectors(forwards), vectors(backwards)[::-1])

    def test_company_does_not_change_a_bit(self, embedder: FaceEmbedder, crops: list[ByteArray]) -> None:
        together = vectors(embedder.embed(crops))
        alone = np.concatenate([vectors(embedder.embed([crop])) for crop in crops])
        assert np.array_equal(together, alone)
        extremes = [np.full((112, 112, 3), level, np.uint8) for level in (0, 255)]
        for position in range(4):
            mates = [extremes[0]] * position + [crops[0]] + [extremes[1]] * 5
            assert np.array_equal(embedder.embed(mates)[position].vector, together[0])

    def test_the_same_crop_twice_gives_the_same_bits(
        self, embedder: FaceEmbedder, crops: list[ByteArray]
    ) -> None:
        one, other = embedder.embed([crops[0], crops[0]])
        assert np.array_equal(one.vector, other.vector)

    def test_the_shift_is_measured_for_all_or_none_and_company_does_not_change_a_bit(
        self, embedder: FaceEmbedder, crops: list[ByteArray]
    ) -> None:
        together = [embedding.purification_shift for embedding in embedder.embed(crops)]
        alone = [embedder.embed([crop])[0].purification_shift for crop in crops]
        assert together == alone
        assert len({shift is None for shift in together}) == 1

    def test_different_faces_differ(self, embedder: FaceEmbedder, crops: list[ByteArray]) -> None:
        one, other = embedder.embed([crops[0], crops[1]])
        assert not np.allclose(one.vector, other.vector, atol=1e-3)

    def test_crops_are_left_alone(self, embedder: FaceEmbedder, crops: list[ByteArray]) -> None:
        before = [crop.copy() for crop in crops]
        embedder.embed(crops)
        assert all(np.array_equal(crop, kept) for crop, kept in zip(crops, before, strict=True))

    def test_non_contiguous_crops_are_taken(self, embedder: FaceEmbedder, crops: list[ByteArray]) -> None:
        mirrored = crops[0][:, ::-1]
        copied = np.ascontiguousarray(mirrored)
        assert np.array_equal(embedder.embed([mirrored])[0].vector, embedder.embed([copied])[0].vector)

    @pytest.mark.parametrize(
        "crop",
        [
            np.zeros((112, 112, 3), np.float32),
            np.zeros((128, 128, 3), np.uint8),
            np.zeros((112, 112), np.uint8),
            np.zeros((3, 112, 112), np.uint8),
        ],
        ids=["float", "too large", "grey", "planar"],
    )
    def test_another_shape_or_dtype_is_refused(
        self, embedder: FaceEmbedder, crops: list[ByteArray], crop: ByteArray
    ) -> None:
        with pytest.raises(ValueError, match="crop must be uint8 of 112x112x3"):
            embedder.embed([crops[0], crop])
