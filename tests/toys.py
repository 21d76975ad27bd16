"""Small stand-ins: people with photographs, and a network that tells them apart."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from pipeline.robustness.faces import FacePack, encode_crop, save_faces
from pipeline.robustness.protocol import Pair
from pipeline.types import ByteArray

FOLDS = (1, 4, 5)
PEOPLE_A_FOLD = 6
PHOTOS_A_PERSON = 3


def toy_photo(person: int, photo: int) -> ByteArray:
    """uint8 (112, 112, 3) RGB: a smooth picture of the person's own, in another light each time."""
    own = np.random.default_rng(person).normal(0, 45, (7, 7, 3))
    random = np.random.default_rng((person, photo))
    picture = 128 + cv2.resize(own, (112, 112), interpolation=cv2.INTER_CUBIC)
    light = cv2.resize(random.normal(0, 12, (3, 3)), (112, 112), interpolation=cv2.INTER_CUBIC)
    noise = random.normal(0, 2, (112, 112, 3))
    return np.clip(picture + light[..., None] + noise, 0, 255).astype(np.uint8)


def toy_pack(path: Path) -> FacePack:
    """Eighteen people in three folds, three photographs each, and pairs within each fold."""
    crops, pairs = [], []
    for number, fold in enumerate(FOLDS):
        people = range(number * PEOPLE_A_FOLD, (number + 1) * PEOPLE_A_FOLD)
        for person in people:
            photos = range(1, PHOTOS_A_PERSON + 1)
            crops += [(_name(person, photo), encode_crop(toy_photo(person, photo))) for photo in photos]
            pairs += [
                Pair(_name(person, a), _name(person, b), True, fold)
                for a, b in itertools.combinations(photos, 2)
            ]
        pairs += [Pair(_name(a, 1), _name(b, 2), False, fold) for a, b in itertools.combinations(people, 2)]
    return save_faces(path, crops, pairs)


def _name(person: int, photo: int) -> str:
    return f"Person{person}_{photo:04d}"


class ToyEmbedder(nn.Module):
    """float32 (N, 3, 112, 112) RGB 0..255 -> (N, 24), unit norm: a convolution, a bend, a projection."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.see = nn.Conv2d(3, 8, 8, stride=8, bias=False)
            self.say = nn.Linear(8 * 14 * 14, 24, bias=False)

    def forward(self, crops_rgb: torch.Tensor) -> torch.Tensor:
        seen = torch.tanh(self.see((crops_rgb - 128.0) / 60.0) * 2.0)
        return functional.normalize(self.say(seen.flatten(1)), dim=1)
