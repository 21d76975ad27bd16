"""The attacked clip: within its budget, through the alignment, and on the right face."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from pipeline.align import ARCFACE_TEMPLATE, align
from pipeline.detect.load import load_detector
from pipeline.embed.load import load_network
from pipeline.models import Catalogue, ModelKind
from pipeline.robustness.objective import Network, Objective
from pipeline.robustness.threat import Goal
from pipeline.types import ByteArray, Face, FloatArray, Outcome
from workers.demo.attack import CLIP, THREAT, attacked_frames, face_of
from workers.demo.perturb import Effort, FramePerturber
from workers.demo.scene import RATE_HZ, WALKS, Lens, Person
from workers.demo.strip import Panel, amplified, said, strip
from workers.lettering import outcome_colour_bgr

HEIGHT, WIDTH = 200, 260


class TinyEmbedder(nn.Module):
    """Fixed random weights: smooth enough to attack, quick enough to test with."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layer = nn.Conv2d(3, 8, 8, stride=8)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return functional.normalize(torch.tanh(self.layer(crops / 127.5 - 1.0)).flatten(1))


def image(seed: int = 0) -> ByteArray:
    coarse = np.random.default_rng(seed).integers(40, 216, (20, 26, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


def landmarks(shift_px: float = 0.0, scale: float = 0.9) -> FloatArray:
    return (ARCFACE_TEMPLATE * scale + (70 + shift_px, 50)).astype(np.float32)


def crop_of(picture_bgr: ByteArray, points: FloatArray) -> torch.Tensor:
    return torch.from_numpy(align(picture_bgr, points)).permute(2, 0, 1)[None].float()


def objective(network: Network) -> Objective:
    with torch.no_grad():
        template = network(crop_of(image(9), landmarks()))
    return Objective(network, template, Goal.IMPERSONATE)


def similarity(aim: Objective, picture_bgr: ByteArray, points: FloatArray) -> float:
    with torch.no_grad():
        return float(aim.similarity(crop_of(picture_bgr, points))[0])


@pytest.fixture(scope="module")
def network() -> TinyEmbedder:
    return TinyEmbedder().eval().requires_grad_(False)


@pytest.mark.parametrize("eps_255", [2, 8])
def test_the_frame_stays_within_the_budget_and_the_crop_comes_nearer(network: Network, eps_255: int) -> None:
    aim, clean = objective(network), image()
    before = clean.copy()
    attacked = FramePerturber(aim, Effort(eps_255=eps_255)).attack(clean, landmarks())
    assert np.array_equal(clean, before)
    change = attacked.astype(np.int32) - clean
    assert np.abs(change).max() == eps_255
    assert (change[:, :40] == 0).all()  # nothing but the face
    assert similarity(aim, attacked, landmarks()) > similarity(aim, clean, landmarks()) + 0.01


def test_it_survives_landmarks_that_are_off_by_a_little(network: Network) -> None:
    aim, clean = objective(network), image()
    attacked = FramePerturber(aim, Effort()).attack(clean, landmarks())
    gain = similarity(aim, attacked, landmarks()) - similarity(aim, clean, landmarks())
    near = landmarks(shift_px=0.7)
    assert similarity(aim, attacked, near) - similarity(aim, clean, near) > 0.5 * gain


def test_a_frame_starts_from_the_perturbation_of_the_one_before(network: Network) -> None:
    aim = objective(network)
    moved = landmarks(shift_px=6.0, scale=0.95)
    no_steps = Effort(steps=0)
    perturber = FramePerturber(aim, no_steps)
    perturber.attack(image(), landmarks())
    carried = perturber.attack(image(), moved)
    assert similarity(aim, carried, moved) > similarity(aim, image(), moved) + 0.005


def test_the_same_frames_give_the_same_attack(network: Network) -> None:
    aim = objective(network)
    one, other = (FramePerturber(aim, Effort(first_steps=3)).attack(image(), landmarks()) for _ in range(2))
    assert np.array_equal(one, other)


def test_a_large_face_is_attacked_through_its_reduction(network: Network) -> None:
    aim = objective(network)
    points = (ARCFACE_TEMPLATE * 1.6 + (30, 5)).astype(np.float32)
    attacked = FramePerturber(aim, Effort(eps_255=8)).attack(image(), points)
    assert similarity(aim, attacked, points) > similarity(aim, image(), points) + 0.01


def face_at(x_px: float, y_px: float) -> Face:
    eyes = np.array([[-8, 0], [8, 0], [0, 9], [-6, 18], [6, 18]], np.float32)
    box = np.array([x_px - 20, y_px - 22, x_px + 20, y_px + 30], np.float32)
    return Face(box, eyes + np.array([x_px, y_px], np.float32), 0.9)


def test_the_face_attacked_is_the_one_where_the_scene_has_the_person() -> None:
    number = 100
    here = {
        walk.person: Lens().project(*pose.eyes_m)
        for walk in WALKS
        if (pose := walk.pose(number / RATE_HZ)) is not None
    }
    collins, hopper = face_at(*here[Person.COLLINS]), face_at(*here[Person.HOPPER])
    assert face_of(Person.COLLINS, number, [hopper, collins]) is collins
    assert face_of(Person.HOPPER, number, [hopper, collins]) is hopper
    assert face_of(Person.COLLINS, number, [hopper]) is None
    assert face_of(Person.COLLINS, number, []) is None
    assert face_of(Person.COLLINS, 0, [collins]) is None


def test_the_clip_shows_both_people() -> None:
    for person in Person:
        assert any(walk.pose(number / RATE_HZ) for walk in WALKS if walk.person is person for number in CLIP)


@pytest.mark.assets
def test_the_real_embedder_is_deceived_through_detection(models: Path) -> None:
    catalogue = Catalogue.load([models])
    detector = load_detector(catalogue.open("yunet", ModelKind.DETECTOR), size_px=672, min_score=0.4)
    network = load_network(catalogue.open("face-reidentification-retail-0095", ModelKind.EMBEDDER))
    anybody = functional.normalize(torch.randn(1, 256, generator=torch.Generator().manual_seed(1)))[0].numpy()
    aim = Objective(network, torch.from_numpy(anybody)[None], Goal.IMPERSONATE)
    (frame,) = attacked_frames(network, anybody, detector, [104])
    assert frame.landmarks is not None
    assert np.abs(frame.attacked_bgr.astype(np.int32) - frame.clean_bgr).max() <= 4
    seen = face_of(Person.COLLINS, 104, detector.detect([frame.attacked_bgr])[0])
    assert seen is not None
    gained = similarity(aim, frame.attacked_bgr, seen.landmarks)
    assert gained > similarity(aim, frame.clean_bgr, frame.landmarks) + 0.3


def test_what_is_claimed_of_the_attacker_is_that_they_do_not_know_the_purifier() -> None:
    assert THREAT.value == "T2a"


def test_the_change_is_amplified_about_grey() -> None:
    clean = np.full((112, 112, 3), 100, np.uint8)
    attacked = clean + np.uint8(2)
    attacked[0] = 97
    shown = amplified(clean, attacked, 16)
    assert shown[5, 5, 0] == 128 + 32
    assert shown[0, 0, 0] == 128 - 48


def test_the_picture_has_every_panel_with_its_outcome() -> None:
    red = np.full((112, 112, 3), (220, 30, 40), np.uint8)
    outcomes = (Outcome.KNOWN, Outcome.UNKNOWN, None)
    panels = [Panel("Attacked", red, outcome, "bar", ("a line",)) for outcome in outcomes]
    picture = strip("One face", panels, "What the attacker knows")
    for colour in (*(outcome_colour_bgr(outcome) for outcome in outcomes[:2]), (222, 222, 222)):
        assert int((picture == np.array(colour, np.uint8)).all(axis=2).sum()) > 4000
    assert int((picture == np.array((40, 30, 220), np.uint8)).all(axis=2).sum()) > 3 * 200 * 200
    with pytest.raises(ValueError, match="crop_rgb"):
        Panel("Attacked", red[:50], None, "bar", ())


def test_a_bar_names_only_who_was_named() -> None:
    assert said(Outcome.KNOWN, "Grace Hopper") == "known: Grace Hopper"
    assert said(Outcome.SUSPECTED_ATTACK, "Grace Hopper") == "suspected attack"
