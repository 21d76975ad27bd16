"""The recipe of the bundled embedder in small: it learns, it is repeatable, and it goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pipeline.embed.embedder import NetworkEmbedder
from pipeline.embed.load import load_network
from pipeline.embed.residual import EMBEDDING_DIM, ResidualFaceNet
from pipeline.embed.runtimes import TorchRuntime
from pipeline.errors import UsageError
from pipeline.models import Catalogue, ModelKind
from pipeline.purify.pin import NoPurification
from pipeline.robustness.faces import FacePack
from pipeline.robustness.protocol import Split
from pipeline.types import TemplateKey
from tests.toys import ToyEmbedder, toy_photo
from training.content import bent, content, matched, mixed, refined, soft_part
from training.distil import Distillation, DistilOptions
from training.face_pool import FacePool, PoolMaker
from training.output import embedder_card, save_network
from training.teachers import Projection, Teachers

CPU = torch.device("cpu")
OPTIONS = DistilOptions(views=64, batch=8, queue=32)


def teacher(seed: int) -> NetworkEmbedder:
    key = TemplateKey(f"toy{seed}", "none")
    return NetworkEmbedder(key, 24, TorchRuntime(ToyEmbedder(seed), device="cpu"))


def maker(pack: FacePack, folder: Path, seed: int = 0) -> PoolMaker:
    return PoolMaker(pack, Teachers((teacher(0), teacher(1))), folder, seed)


@pytest.fixture(scope="module")
def pool(pack: FacePack, tmp_path_factory: pytest.TempPathFactory) -> FacePool:
    return maker(pack, tmp_path_factory.mktemp("pool")).pool(1, EMBEDDING_DIM, lambda *_: None)


def distillation(
    pool: FacePool, checkpoint: Path | None = None, options: DistilOptions = OPTIONS, made: str = "0"
) -> Distillation:
    torch.manual_seed(options.seed)
    return Distillation(
        ResidualFaceNet(),
        NoPurification(),
        pool,
        made_with={"made": made},
        options=options,
        checkpoint=checkpoint,
        device=CPU,
    )


def test_teachers_do_not_mind_mirrors_and_weigh_the_same() -> None:
    teachers, alone = Teachers((teacher(0), teacher(1))), Teachers((teacher(1),))
    crops = [toy_photo(0, 1), toy_photo(1, 1)]
    vectors = teachers(crops)
    assert vectors.shape == (2, 48)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    mirrored = teachers([np.ascontiguousarray(crop[:, ::-1]) for crop in crops])
    assert np.allclose(vectors, mirrored, atol=1e-5)
    assert np.allclose(vectors[:, 24:] * np.sqrt(2), alone(crops), atol=1e-5)


def test_a_projection_keeps_what_varies() -> None:
    random = np.random.default_rng(0)
    plane = random.normal(size=(40, 3)) @ random.normal(size=(3, 20))
    vectors = (plane / np.linalg.norm(plane, axis=1, keepdims=True)).astype(np.float32)
    three = Projection.fitted(vectors, 3)
    assert three.kept == pytest.approx(1.0)
    assert np.allclose(three(vectors) @ three(vectors).T, vectors @ vectors.T, atol=1e-4)
    assert Projection.fitted(vectors, 1).kept < 0.99
    assert Projection.fitted(vectors[:4], 16)(vectors).shape == (40, 16)


def test_made_faces_are_pictures_and_depend_on_the_seed_alone() -> None:
    one, other = toy_photo(0, 1), toy_photo(1, 1)
    faces = [content(one, other, np.random.default_rng(seed)) for seed in range(30)]
    again = [content(one, other, np.random.default_rng(seed)) for seed in range(30)]
    assert all(np.array_equal(a, b) for a, b in zip(faces, again, strict=True))
    assert all(face.shape == one.shape and face.dtype == np.uint8 for face in faces)


def test_a_mixed_face_is_between_both() -> None:
    one, other = toy_photo(0, 1), toy_photo(1, 1)
    for seed in range(10):
        face = mixed(one, other, np.random.default_rng(seed)).astype(float)
        towards = matched(other, one)
        low, high = np.minimum(one, towards) - 1, np.maximum(one, towards) + 1
        assert ((face >= np.clip(low, 0, 255)) & (face <= np.clip(high, 0, 255))).all()
        part = soft_part(np.random.default_rng(seed))
        assert part.min() >= 0.0
        assert part.max() <= 1.0
    assert np.allclose(towards.mean(axis=(0, 1)), one.mean(axis=(0, 1)), atol=0.5)


def test_the_pool_holds_the_photographs_who_train_and_what_is_made_of_them(
    pack: FacePack, pool: FacePool
) -> None:
    photos = len(pack.rows_of(Split.TRAIN))
    assert len(pool) == photos + 1024
    assert np.abs(pool.crop(0).astype(int) - pack.crop(pack.rows_of(Split.TRAIN)[0])).mean() < 3
    assert pool.targets.shape == (len(pool), EMBEDDING_DIM)
    assert np.allclose(np.linalg.norm(pool.targets, axis=1), 1.0, atol=1e-5)


def test_the_pool_is_made_once_and_again_where_a_piece_is_damaged(pack: FacePack, tmp_path: Path) -> None:
    first = maker(pack, tmp_path).pool(0, 8, lambda *_: None)
    (piece,) = tmp_path.iterdir()
    before = piece.stat().st_mtime_ns
    again = maker(pack, tmp_path).pool(0, 8, lambda *_: None)
    assert piece.stat().st_mtime_ns == before
    piece.write_bytes(piece.read_bytes()[:1000])
    repaired = maker(pack, tmp_path).pool(0, 8, lambda *_: None)
    for other in (again, repaired):
        assert np.array_equal(first.targets, other.targets)
        assert first.encoded == other.encoded
    assert maker(pack, tmp_path, seed=1).digest != maker(pack, tmp_path).digest


def test_rates_rise_stay_and_fall() -> None:
    options = DistilOptions(views=1_000_000, batch=100)
    rates = [options.rate(step) for step in (0, 200, 6_999, 8_500, 9_999)]
    assert rates[0] < 1e-4
    assert rates[1:3] == [2e-3, 2e-3]
    assert rates[3] == pytest.approx(1e-3)
    assert 0 < rates[4] < 1e-5


def test_distillation_learns(pool: FacePool) -> None:
    options = replace(OPTIONS, views=16 * 40, batch=16)
    reports = list(distillation(pool, options=options).run(report_every=10))
    assert reports[-1].cosine > reports[0].cosine + 0.2
    assert reports[-1].quality_error < reports[0].quality_error


def test_a_stopped_distillation_ends_with_the_same_weights(pool: FacePool, tmp_path: Path) -> None:
    whole = distillation(pool)
    list(whole.run())
    stopped = distillation(pool, tmp_path / "state")
    next(iter(stopped.run(report_every=3)))
    stopped.keep()
    resumed = distillation(pool, tmp_path / "state")
    assert resumed.step == 3
    list(resumed.run())
    for name, value in whole.averaged.items():
        assert torch.equal(value, resumed.averaged[name]), name
    with pytest.raises(UsageError, match="made '1'"):
        distillation(pool, tmp_path / "state", made="1")


def test_what_is_written_is_what_is_loaded(tmp_path: Path) -> None:
    network = ResidualFaceNet().eval()
    card = save_network(tmp_path, embedder_card("mine", "A face.", "a test"), network)
    loaded = load_network(Catalogue.load([tmp_path]).open("mine", ModelKind.EMBEDDER))
    crops = torch.from_numpy(toy_photo(0, 1)).permute(2, 0, 1)[None].float()
    assert card.dim == EMBEDDING_DIM
    assert torch.allclose(loaded(crops), network(crops), atol=2e-3)
    assert not any(weight.requires_grad for weight in loaded.parameters())


def test_a_refined_face_is_coarse_like_one_and_fine_like_the_other() -> None:
    one, other = toy_photo(0, 1), toy_photo(1, 1)
    face = refined(one, other, np.random.default_rng(0)).astype(np.float32)
    blurred, wanted = (cv2.GaussianBlur(each.astype(np.float32), (0, 0), 8.0) for each in (face, one))
    assert np.abs(blurred - wanted).mean() < 6
    second = matched(other, one)
    fine, of_other = (each - cv2.GaussianBlur(each, (0, 0), 2.0) for each in (face, second))
    assert np.corrcoef(fine.ravel(), of_other.ravel())[0, 1] > 0.7


def test_a_bent_face_is_the_same_face_a_little_aside() -> None:
    face = toy_photo(0, 1)
    seen = [bent(face, np.random.default_rng(seed)) for seed in range(3)]
    assert all(not np.array_equal(face, each) for each in seen)
    assert all(abs(float(each.mean()) - float(face.mean())) < 8 for each in seen)
    assert np.array_equal(seen[0], bent(face, np.random.default_rng(0)))
