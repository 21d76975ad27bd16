"""Every embedder on every runtime keeps the contract; the published ones know their own faces."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from pipeline.embed.embedder import NetworkEmbedder, PurifiedNetwork, as_network_input
from pipeline.embed.load import load_embedder, load_network
from pipeline.embed.mobilefacenet import EMBEDDING_DIM, MobileFaceNet
from pipeline.embed.runtimes import OpenVinoRuntime, TorchRuntime
from pipeline.errors import ModelFormatError
from pipeline.models import Catalogue, InputSpec, ModelCard, ModelKind, VerifiedModel
from pipeline.purify.fit import FitOptions, fit_pin, save_fitted
from pipeline.purify.load import load_purifier
from pipeline.purify.pin import NoPurification
from pipeline.seams import FaceEmbedder
from pipeline.types import ByteArray, TemplateKey
from tests.contracts.embedder import EmbedderContract, vectors

NAMES = ("mobilefacenet", "face-reidentification-retail-0095")
DIM = 24
KEY = TemplateKey("net@12345678", "none")


class SmallNetwork(nn.Module):
    """Random weights, converted in no time."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.first = nn.Conv2d(3, 16, 7, stride=4)
            self.second = nn.Conv2d(16, DIM, 5, stride=4)
            self.third = nn.Linear(DIM, DIM)

    def forward(self, crops_rgb: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.first(crops_rgb / 127.5 - 1))
        x = functional.relu(self.second(x)).amax((2, 3))
        return functional.normalize(self.third(x - 0.5), dim=1)


class SmallJudge(SmallNetwork):
    """The same, and how bright a crop is as its confidence."""

    def embed_and_judge(self, crops_rgb: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self(crops_rgb), crops_rgb.mean(dim=(1, 2, 3)) / 255.0


def small() -> nn.Module:
    return PurifiedNetwork(NoPurification(), SmallNetwork())


@pytest.fixture(scope="session")
def purifiers(tmp_path_factory: pytest.TempPathFactory, faces: list[ByteArray], models: Path) -> Catalogue:
    """The published models, and ``pin``, fitted to shifted copies of a few faces."""
    folder = tmp_path_factory.mktemp("models")
    shifts = itertools.product((-2, 0, 2), (-2, 0, 2))
    crops = [np.roll(face, shift, axis=(0, 1)) for shift in shifts for face in faces]
    options = FitOptions(components=800)
    save_fitted(fit_pin(crops, options), folder, "pin", options)
    return Catalogue.load([models, folder])


class TestOpenVino(EmbedderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls) -> FaceEmbedder:
        return NetworkEmbedder(KEY, DIM, OpenVinoRuntime(small()))

    @pytest.fixture
    def crops(self, noise_crops: list[ByteArray]) -> list[ByteArray]:
        return noise_crops


class TestOpenVinoInParallelBatches(TestOpenVino):
    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls) -> FaceEmbedder:
        return NetworkEmbedder(KEY, DIM, OpenVinoRuntime(small(), threads=2, batch=4))


class TestTorch(TestOpenVino):
    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls) -> FaceEmbedder:
        return NetworkEmbedder(KEY, DIM, TorchRuntime(small(), device="cpu", batch=4))


@pytest.mark.assets
@pytest.mark.parametrize(("name", "purifier"), list(itertools.product(NAMES, ("none", "pin"))), scope="class")
class TestPublished(EmbedderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls, name: str, purifier: str, purifiers: Catalogue) -> NetworkEmbedder:
        return load_embedder(
            purifiers.open(name, ModelKind.EMBEDDER), purifiers.open(purifier, ModelKind.PURIFIER)
        )

    @pytest.fixture
    def crops(self, faces: list[ByteArray]) -> list[ByteArray]:
        return faces

    def test_both_runtimes_agree(
        self,
        embedder: NetworkEmbedder,
        name: str,
        purifier: str,
        purifiers: Catalogue,
        faces: list[ByteArray],
        face_tensor: torch.Tensor,
    ) -> None:
        network = PurifiedNetwork(
            load_purifier(purifiers.open(purifier, ModelKind.PURIFIER)),
            load_network(purifiers.open(name, ModelKind.EMBEDDER)),
        )
        with torch.inference_mode():
            expected = network(face_tensor).numpy()
        cosines = (vectors(embedder.embed(faces)) * expected).sum(axis=1)
        assert cosines.min() >= 0.9999

    def test_a_person_is_more_alike_to_herself_than_to_anybody(
        self, embedder: NetworkEmbedder, faces: list[ByteArray]
    ) -> None:
        embedded = vectors(embedder.embed(faces))
        similarities = embedded @ embedded.T
        for first in (0, 2, 4):
            others = [n for n in range(len(faces)) if n not in (first, first + 1)]
            assert similarities[first, first + 1] > similarities[first, others].max() + 0.1

    def test_the_colour_order_matters(self, embedder: NetworkEmbedder, faces: list[ByteArray]) -> None:
        """Whoever swaps red and blue gets a worse likeness, though no error."""
        right = vectors(embedder.embed(faces))
        swapped = vectors(embedder.embed([face[:, :, ::-1] for face in faces]))
        genuine = [(0, 1), (2, 3), (4, 5)]
        as_it_should_be = np.mean([right[one] @ right[other] for one, other in genuine])
        mixed = np.mean([swapped[one] @ right[other] for one, other in genuine])
        assert mixed < as_it_should_be - 0.02

    def test_the_key_names_embedder_and_purifier(
        self, embedder: NetworkEmbedder, name: str, purifier: str
    ) -> None:
        assert embedder.key.model_id.split("@")[0] == name
        assert embedder.key.purifier_id.split("@")[0] == purifier
        assert embedder.fingerprint()["models"] == str(embedder.key)


def test_the_number_of_threads_and_the_batch_do_not_change_a_bit(noise_crops: list[ByteArray]) -> None:
    crops = as_network_input(noise_crops)
    single = OpenVinoRuntime(small()).run(crops)
    assert np.array_equal(OpenVinoRuntime(small(), threads=2).run(crops), single)
    assert np.array_equal(OpenVinoRuntime(small(), batch=4).run(crops), single)


@pytest.mark.assets
def test_nor_do_threads_with_a_published_network(catalogue: Catalogue, faces: list[ByteArray]) -> None:
    opened = (catalogue.open(NAMES[0], ModelKind.EMBEDDER), catalogue.open("none", ModelKind.PURIFIER))
    single, double = (load_embedder(*opened, threads=threads) for threads in (1, 2))
    assert np.array_equal(vectors(single.embed(faces)), vectors(double.embed(faces)))


def test_gradients_reach_the_pixels_and_agree_with_finite_differences() -> None:
    network = MobileFaceNet().eval().double()
    network.requires_grad_(False)
    crops = 255 * torch.rand(1, 3, 112, 112, generator=torch.Generator().manual_seed(0)).double()
    crops.requires_grad_(True)
    wanted = torch.randn(1, EMBEDDING_DIM, generator=torch.Generator().manual_seed(1)).double()
    (gradient,) = torch.autograd.grad((network(crops) * wanted).sum(), crops)
    direction = gradient / gradient.norm()
    step = 1e-3
    with torch.no_grad():
        ahead, behind = (float((network(crops + s * step * direction) * wanted).sum()) for s in (1, -1))
    assert (ahead - behind) / (2 * step) == pytest.approx(float(gradient.norm()), rel=0.01)


def test_the_fingerprint_says_what_the_bits_depend_on() -> None:
    one = NetworkEmbedder(KEY, DIM, OpenVinoRuntime(small())).fingerprint()
    other = NetworkEmbedder(KEY, DIM, OpenVinoRuntime(small(), threads=2)).fingerprint()
    assert one == other, "the number of threads does not change the numbers"
    assert one["precision"] == "f32"
    assert one["input_shape"] == "1x3x112x112"
    assert {"runtime", "device", "instructions", "models"} <= set(one)
    torch_runtime = NetworkEmbedder(KEY, DIM, TorchRuntime(small(), device="cpu"))
    assert torch_runtime.fingerprint() != one


@pytest.mark.parametrize(("threads", "batch"), [(0, 1), (1, 0)])
def test_impossible_shapes_are_refused(threads: int, batch: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        OpenVinoRuntime(small(), threads=threads, batch=batch)


def test_the_weights_file_must_be_this_networks(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(ModelFormatError, match="another network"):
        load_network(verified("mobilefacenet", path))


def test_an_architecture_without_loader_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match="'transformer'"):
        load_network(verified("transformer", tmp_path / "net.pt"))


def verified(architecture: str, path: Path) -> VerifiedModel:
    from pipeline.models import ModelFile

    card = ModelCard(
        name="net",
        kind=ModelKind.EMBEDDER,
        architecture=architecture,
        licence="MIT",
        source="test",
        description="A network.",
        files=(ModelFile(path.name, "0" * 64),),
        input=InputSpec(112, 112, "rgb"),
        dim=128,
    )
    return VerifiedModel(card, {path.name: path})


@pytest.mark.parametrize("runtime", [OpenVinoRuntime, lambda network: TorchRuntime(network, device="cpu")])
def test_a_network_may_say_how_sure_it_is(
    runtime: Callable[[nn.Module], OpenVinoRuntime | TorchRuntime], noise_crops: list[ByteArray]
) -> None:
    judged = NetworkEmbedder(KEY, DIM, runtime(PurifiedNetwork(NoPurification(), SmallJudge())))
    plain = NetworkEmbedder(KEY, DIM, runtime(small()))
    crops = [*noise_crops[:2], np.zeros_like(noise_crops[0])]
    for one, other, crop in zip(judged.embed(crops), plain.embed(crops), crops, strict=True):
        assert one.confidence == pytest.approx(crop.mean() / 255.0, abs=1e-5)
        assert other.confidence is None
        assert np.allclose(one.vector, other.vector, atol=1e-6)
