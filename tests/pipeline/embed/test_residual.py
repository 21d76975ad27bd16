"""The bundled embedder's network."""

from __future__ import annotations

import pytest
import torch

from pipeline.embed.residual import EMBEDDING_DIM, ResidualFaceNet


@pytest.fixture(scope="module")
def network() -> ResidualFaceNet:
    torch.manual_seed(0)
    return ResidualFaceNet().eval()


@pytest.mark.parametrize("side", [64, 88, 112])
def test_it_takes_faces_of_several_sizes(network: ResidualFaceNet, side: int) -> None:
    vectors, quality = network.embed_and_judge(torch.rand(3, 3, side, side) * 255)
    assert vectors.shape == (3, EMBEDDING_DIM)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(3), atol=1e-5)
    assert quality.shape == (3,)
    assert ((quality > 0) & (quality < 1)).all()


def test_it_has_three_million_parameters_at_most(network: ResidualFaceNet) -> None:
    assert sum(weight.numel() for weight in network.parameters()) <= 3_000_000


def test_a_flat_face_is_summed_alike_at_every_size(network: ResidualFaceNet) -> None:
    sums = [network.pool(torch.ones(1, 256, side, side)) for side in (4, 6, 7)]
    assert torch.allclose(sums[0], sums[2], atol=1e-4)
    assert torch.allclose(sums[1], sums[2], atol=1e-4)


def test_quality_does_not_teach_the_embedding(network: ResidualFaceNet) -> None:
    network.zero_grad()
    _, quality = network.embed_and_judge(torch.rand(2, 3, 64, 64) * 255)
    quality.sum().backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is None for weight in network.features.parameters())
    assert network.judge[0].weight.grad is not None
