"""The bundled embedder's network."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from pipeline.embed.residual import EMBEDDING_DIM, FACE_PX, ResidualFaceNet


@pytest.fixture(scope="module")
def network() -> ResidualFaceNet:
    torch.manual_seed(0)
    return ResidualFaceNet().eval()


def test_it_embeds_and_judges(network: ResidualFaceNet) -> None:
    crops = torch.rand(3, 3, 112, 112) * 255
    vectors, quality = network.embed_and_judge(crops)
    assert vectors.shape == (3, EMBEDDING_DIM)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(3), atol=1e-5)
    assert torch.equal(vectors, network(crops))
    assert quality.shape == (3,)
    assert ((quality > 0) & (quality < 1)).all()


def test_faces_are_reduced_without_aliasing(network: ResidualFaceNet) -> None:
    crops = torch.rand(2, 3, 112, 112) * 255
    wanted = functional.interpolate(crops, (FACE_PX, FACE_PX), mode="bilinear", antialias=True)
    assert torch.allclose(network.reduce(crops), wanted, atol=1e-3)
    stripes = torch.zeros(1, 1, 112, 112)
    stripes[..., ::2] = 255.0
    assert network.reduce(stripes.expand(1, 3, -1, -1)).std() < 30.0


def test_it_has_three_million_parameters_at_most(network: ResidualFaceNet) -> None:
    assert sum(weight.numel() for weight in network.parameters()) <= 3_000_000


def test_quality_does_not_teach_the_embedding(network: ResidualFaceNet) -> None:
    network.zero_grad()
    _, quality = network.embed_and_judge(torch.rand(2, 3, 112, 112) * 255)
    quality.sum().backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is None for weight in network.features.parameters())
    assert network.judge[0].weight.grad is not None
