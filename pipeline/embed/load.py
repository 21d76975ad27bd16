"""From checked model files to a running embedder. The one place that knows every architecture."""

from __future__ import annotations

import importlib.util

from torch import nn

from pipeline.embed.embedder import NetworkEmbedder, PurifiedNetwork
from pipeline.embed.runtimes import EmbeddingRuntime, OpenVinoRuntime, TorchRuntime
from pipeline.errors import ModelFormatError
from pipeline.models import VerifiedModel, load_into
from pipeline.purify.load import load_purifier
from pipeline.types import TemplateKey


def load_network(model: VerifiedModel) -> nn.Module:
    """The embedder alone: float32 (N, 3, 112, 112) RGB 0..255 -> (N, D), unit norm, in eval mode.

    Raises:
        ModelFormatError: no loader for the card's architecture, or its files do not fit it.
    """
    match model.card.architecture:
        case "mobilefacenet":
            from pipeline.embed.mobilefacenet import MobileFaceNet

            network: nn.Module = MobileFaceNet()
            load_into(network, model.main_path)
        case "openvino_reid_retail_0095":
            from pipeline.embed.retail0095 import Retail0095

            paths = {path.suffix: path for path in model.paths.values()}
            network = Retail0095(paths[".xml"], paths[".bin"])
        case "dlib_resnet":
            from pipeline.embed.dlib_resnet import load_dlib_resnet

            network = load_dlib_resnet(model.main_path)
        case "residual_facenet":
            from pipeline.embed.residual import ResidualFaceNet

            network = ResidualFaceNet()
            load_into(network, model.main_path)
        case unknown:
            raise ModelFormatError(f"{model.card.name}: no loader for embedders of architecture {unknown!r}")
    return network.eval().requires_grad_(False)


def load_embedder(
    embedder: VerifiedModel, purifier: VerifiedModel, *, device: str = "cpu", threads: int = 1
) -> NetworkEmbedder:
    """Purifier and embedder on their runtime: OpenVINO on the CPU, torch on CUDA.

    Where OpenVINO is not installed (``pinwatch[gpu]``) torch serves the CPU too: four times slower.

    Args:
        embedder: From ``catalogue.open(name, ModelKind.EMBEDDER)``.
        purifier: From ``catalogue.open(name, ModelKind.PURIFIER)``.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        threads: How many faces run at a time on the CPU; does not change the results.

    Raises:
        ModelFormatError: a file cannot be loaded as what its card says it is.
    """
    dim = embedder.card.dim
    if dim is None:
        raise ModelFormatError(f"{embedder.card.name}: the card does not say dim")
    network = PurifiedNetwork(load_purifier(purifier), load_network(embedder))
    runtime: EmbeddingRuntime
    if device == "cpu" and importlib.util.find_spec("openvino"):
        runtime = OpenVinoRuntime(network, threads=threads)
    else:
        runtime = TorchRuntime(network, device=device)
    key = TemplateKey(embedder.card.model_id, purifier.card.model_id)
    return NetworkEmbedder(key, dim, runtime)
