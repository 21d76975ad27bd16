"""What it costs dlib's network that its chip is cut from our crop and not from the photograph.

    .venv/bin/python -m bench.dlib_chip --assets ../shared/assets

Our crop of 112 px ends a little above where dlib's chip does, and is sampled twice. Printed is the accuracy
on the pairs of folds 4 and 5 of LFW, each at the threshold that is best on the other, of both ways, and the
cosine between the two descriptors of a photograph.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.progress import track
from torch.nn import functional

from bench.errors import in_one_line
from bench.lfw import pair_accuracy
from gallery.find import find_faces
from gallery.photo import read_photo
from pipeline.align import align, similarity_transform
from pipeline.detect.load import load_detector
from pipeline.embed.dlib_resnet import CHIP_PX, CHIP_TEMPLATE, DlibResNet, load_dlib_resnet
from pipeline.errors import UsageError
from pipeline.models import Catalogue, ModelKind
from pipeline.robustness.protocol import SCORE_FOLD, SELECT_FOLD, Pair, read_pairs
from pipeline.seams import Detector
from pipeline.types import ByteArray, FloatArray


def both_ways(path: Path, detector: Detector) -> tuple[ByteArray, ByteArray]:
    """Our crop uint8 (112, 112, 3) and dlib's chip (150, 150, 3), RGB, of the face nearest the middle."""
    image_bgr = read_photo(path).image_bgr
    faces = find_faces(image_bgr, detector)
    if not faces:
        raise UsageError(f"no face was found in {path}")
    middle = np.array(image_bgr.shape[1::-1]) / 2
    face = min(faces, key=lambda each: float(np.linalg.norm(each.bbox.reshape(2, 2).mean(axis=0) - middle)))
    matrix = similarity_transform(face.landmarks, CHIP_TEMPLATE)
    chip = cv2.warpAffine(image_bgr, matrix, (CHIP_PX, CHIP_PX), borderMode=cv2.BORDER_REPLICATE)
    return align(image_bgr, face.landmarks), np.asarray(cv2.cvtColor(chip, cv2.COLOR_BGR2RGB), np.uint8)


def described(network: DlibResNet, crop: ByteArray, chip: ByteArray) -> tuple[FloatArray, FloatArray]:
    """float32 (128,) each, unit norm: from the crop, from the chip."""
    with torch.no_grad():
        resampled = network.resample(_tensor(crop))
        vectors = functional.normalize(network.describe(torch.cat([resampled, _tensor(chip)])), dim=1)
    return vectors[0].numpy(), vectors[1].numpy()


def _tensor(picture: ByteArray) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float()


def accuracy(vectors: dict[str, FloatArray], pairs: list[Pair]) -> float:
    """See :func:`~bench.lfw.pair_accuracy`."""
    similarity = {
        (pair.first, pair.second): float(vectors[pair.first] @ vectors[pair.second]) for pair in pairs
    }
    return pair_accuracy(similarity, pairs)


@in_one_line
def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--assets", type=Path, default=Path("../shared/assets"))
    given = parser.parse_args()
    catalogue = Catalogue.load([given.assets / "models"])
    network = load_dlib_resnet(catalogue.open("dlib-resnet", ModelKind.EMBEDDER).main_path).eval()
    detector = load_detector(catalogue.open("yunet", ModelKind.DETECTOR), size_px=640, min_score=0.6)
    pairs = [
        pair
        for pair in read_pairs(given.assets / "faces" / "pairs-dev.txt")
        if pair.fold in (SELECT_FOLD, SCORE_FOLD)
    ]
    photos = sorted({photo for pair in pairs for photo in (pair.first, pair.second)})
    ways: tuple[dict[str, FloatArray], dict[str, FloatArray]] = ({}, {})
    for photo in track(photos, "describing faces"):
        path = given.assets / "faces" / "lfw-dev" / photo.rpartition("_")[0] / f"{photo}.jpg"
        for way, vector in zip(ways, described(network, *both_ways(path, detector)), strict=True):
            way[photo] = vector
    cosines = np.array([ways[0][photo] @ ways[1][photo] for photo in photos])
    print(f"{len(photos)} photographs, {len(pairs)} pairs of folds {SELECT_FOLD} and {SCORE_FOLD}")
    print(f"chip cut from our crop: accuracy {accuracy(ways[0], pairs):.4f}")
    print(f"chip cut from the photograph: accuracy {accuracy(ways[1], pairs):.4f}")
    print(f"cosine between the two: median {np.median(cosines):.4f}, lowest {cosines.min():.4f}")


if __name__ == "__main__":
    main()
