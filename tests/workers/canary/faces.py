"""Canaries that are smooth pictures, before a small network with gradients, with and without a purifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gallery.records import Snapshot
from pipeline.clock import ManualClock
from pipeline.embed.embedder import NetworkEmbedder, PurifiedNetwork
from pipeline.embed.evidence import EvidenceEmbedder
from pipeline.embed.runtimes import TorchRuntime
from pipeline.purify.pin import NoPurification, Pin
from pipeline.purify.selector import TopK
from pipeline.seams import FaceEmbedder
from pipeline.types import ByteArray, TemplateKey, Thresholds
from tests.toys import ToyEmbedder, toy_photo
from workers.canary.attackers import AttackPlan, lowest_cosines
from workers.canary.records import Consent, Face, NewPhoto
from workers.canary.session import Against, Networks, Session

START_NS = 1_700_000_000_000_000_000
KEY = TemplateKey("toy@1", "toy-pin@1")
BARE_KEY = TemplateKey("toy@1", "none")
THRESHOLDS = Thresholds(match=0.5, margin=0.02, evidence=0.15)
BARE = Thresholds(match=0.5, margin=0.02)
PLAN = AttackPlan(steps=4)
QUICK = AttackPlan(steps=1)


def consent(
    until: str = "2024-01-01T00:00:00.000000Z", taken_at: str = "2023-01-01T00:00:00.000000Z"
) -> Consent:
    return Consent("I agree that my face is attacked", "the desk", taken_at, until)


def photos(person: int, count: int = 3) -> list[NewPhoto]:
    return [NewPhoto(toy_photo(person, number), 0.8, "toy@1") for number in range(count)]


def faces(people: int, count: int = 3) -> list[Face]:
    """As a store gives them; the first half of each is enrolled."""
    return [
        Face(f"p{person}-{number}", f"c{person}", number < max(1, count // 2), 0.8, toy_photo(person, number))
        for person in range(people)
        for number in range(count)
    ]


def toy_pin() -> Pin:
    mean = torch.zeros(3, 112, 112)
    mean[0] = 128.0
    pin = Pin("toy-pin@1", mean, lowest_cosines(150), TopK(150, 150), 40)
    return pin.eval().requires_grad_(False)


def embedder(key: TemplateKey, purifier: torch.nn.Module) -> NetworkEmbedder:
    return NetworkEmbedder(key, 24, TorchRuntime(PurifiedNetwork(purifier, ToyEmbedder()), device="cpu"))


@dataclass(frozen=True, slots=True)
class Toy:
    """Networks, made once for all tests of a file."""

    networks: Networks
    without: Networks

    @classmethod
    def make(cls) -> Toy:
        pin, network = toy_pin(), ToyEmbedder().eval().requires_grad_(False)
        plain, bare = embedder(KEY, pin), embedder(BARE_KEY, NoPurification())
        live = EvidenceEmbedder(plain, bare)
        cpu = torch.device("cpu")
        return cls(
            Networks(live, plain, network, pin, bare, cpu),
            Networks(bare, bare, network, None, None, cpu),
        )


def real_gallery(embedder: FaceEmbedder, crops: Sequence[tuple[str, ByteArray]], epoch: int = 7) -> Snapshot:
    """Of subjects and their crops."""
    vectors = [one.vector for one in embedder.embed([crop for _, crop in crops])]
    stacked = np.stack(vectors) if vectors else np.empty((0, 0), np.float32)
    ids = np.arange(len(crops), dtype=np.int64)
    return Snapshot(embedder.key, epoch, ids, tuple(name for name, _ in crops), stacked)


def session(networks: Networks, real: Snapshot | None = None, plan: AttackPlan = PLAN) -> Session:
    nobody = real_gallery(networks.plain, [])
    thresholds = THRESHOLDS if networks.purifier is not None else BARE
    bare = BARE if networks.bare is not None else None
    return Session(networks, Against(real or nobody, thresholds, bare), plan, ManualClock(START_NS), 0.0)
