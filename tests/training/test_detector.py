"""The recipe of the bundled detector in small."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pipeline.detect.cells import STRIDES_PX
from pipeline.detect.compact import CompactDetector, CompactNet, decode
from pipeline.errors import UsageError
from pipeline.models import Catalogue, ModelKind
from pipeline.types import Face, FloatArray
from tests.contracts.detector import DetectorContract
from training.detection_loss import Cells, losses, targets_of, wanted_of_labels, wanted_of_teacher
from training.find_faces import DetectorOptions, DetectorTraining
from training.labels import LabelledPhoto, agreed, load_labels, save_labels
from training.output import detector_card, save_network
from training.scenes import SIDE_PX, Scene, SceneMaker, bent, erased

CPU = torch.device("cpu")
BOX = np.array([85, 75, 165, 175], np.float32)
LANDMARKS = np.array([[105, 110], [145, 110], [125, 130], [108, 152], [142, 152]], np.float32)


def face(box: FloatArray, score: float) -> Face:
    return Face(box, LANDMARKS, score)


def photo(seed: int) -> LabelledPhoto:
    """250x250: a bright oval with two eyes and a mouth before something darker."""
    random = np.random.default_rng(seed)
    image = np.asarray(random.integers(20, 90, (250, 250, 3)), np.uint8)
    cv2.ellipse(image, (125, 125), (40, 50), 0, 0, 360, (150, 180, 220), -1)
    for x, y in LANDMARKS:
        cv2.circle(image, (int(x), int(y)), 6, (40, 20, 20), -1)
    _, data = cv2.imencode(".png", image)
    ignored = np.array([[0, 0, 30, 30]], np.float32)
    return LabelledPhoto(data.tobytes(), BOX[None], LANDMARKS[None], ignored)


PHOTOS = [photo(seed) for seed in range(4)]


def maker() -> SceneMaker:
    return SceneMaker(PHOTOS, [np.full((50, 70, 3), 99, np.uint8)])


def test_what_both_are_sure_of_is_learnt_and_the_rest_ignored() -> None:
    far = BOX + np.float32(200)
    near = BOX + np.float32(4)
    boxes, landmarks, ignored = agreed([face(BOX, 0.9), face(far, 0.9)], [face(near, 0.8)])
    assert boxes.tolist() == [((BOX + near) / 2).tolist()]
    assert landmarks.shape == (1, 5, 2)
    assert ignored.tolist() == [far.tolist()]
    boxes, _, ignored = agreed([face(BOX, 0.9)], [face(near, 0.4)])
    assert not len(boxes)
    assert len(ignored) == 2
    assert [len(part) for part in agreed([], [face(near, 0.9)])] == [0, 0, 1]


def test_labels_are_read_as_they_were_written(tmp_path: Path) -> None:
    none = LabelledPhoto(b"x", *(np.empty(shape, np.float32) for shape in ((0, 4), (0, 5, 2), (0, 4))))
    written = [PHOTOS[0], none, PHOTOS[1]]
    save_labels(tmp_path / "labels.npz", written)
    for one, other in zip(load_labels(tmp_path / "labels.npz"), written, strict=True):
        assert one.encoded == other.encoded
        assert np.array_equal(one.boxes, other.boxes)
        assert np.array_equal(one.landmarks, other.landmarks)
        assert np.array_equal(one.ignored, other.ignored)
    (tmp_path / "other.npz").write_bytes(b"no")
    with pytest.raises(UsageError, match=r"other\.npz"):
        load_labels(tmp_path / "other.npz")


def test_scenes_depend_on_the_seed_alone_and_label_what_they_show() -> None:
    scenes = [maker().scene(np.random.default_rng(seed)) for seed in range(30)]
    again = [maker().scene(np.random.default_rng(seed)) for seed in range(30)]
    sizes, bright = [], []
    for scene, other in zip(scenes, again, strict=True):
        assert np.array_equal(scene.image_bgr, other.image_bgr)
        assert scene.image_bgr.shape == (SIDE_PX, SIDE_PX, 3)
        assert len(scene.boxes) == len(scene.landmarks)
        for box, points in zip(scene.boxes, scene.landmarks, strict=True):
            sizes.append(float(np.sqrt(np.prod(box[2:] - box[:2]))))
            assert points[0, 0] < points[1, 0] or abs(points[0, 1] - points[1, 1]) > 1
            x, y = np.rint((points[2] + points[3:].mean(axis=0)) / 2).astype(int).clip(0, SIDE_PX - 1)
            bright.append(scene.image_bgr[y, x].mean() > scene.image_bgr.mean())
    assert len(sizes) > 60
    assert min(sizes) < 16
    assert max(sizes) > 90
    assert np.mean(bright) > 0.8, "between nose and mouth there is skin"


def test_an_erased_face_is_gone() -> None:
    before = PHOTOS[0].image_bgr()
    after = erased(PHOTOS[0], before)
    assert np.abs(after[110:150, 110:140].astype(int) - before[110:150, 110:140]).mean() > 40
    assert np.array_equal(after[200:, 200:], before[200:, 200:])


def test_a_bent_face_is_where_it_is_said_to_be_and_no_label_counts() -> None:
    narrow = []
    for seed in range(20):
        photo, image = bent(PHOTOS[0], PHOTOS[0].image_bgr(), np.random.default_rng(seed))
        assert not len(photo.boxes)
        assert not len(photo.landmarks)
        face_box, corner = photo.ignored
        assert corner[:2].tolist() == [0, 0]
        x0, y0, x1, y1 = np.rint(face_box).astype(int)
        assert 0 <= x0 < x1 <= image.shape[1]
        assert 0 <= y0 < y1 <= image.shape[0]
        inside = image[(y0 + y1) // 2 - 5 : (y0 + y1) // 2 + 5, x0 + 5 : x1 - 5].mean()
        assert inside > image[:20].mean() + 60, "the bright oval is in its box"
        narrow.append((x1 - x0) / (y1 - y0))
    assert min(narrow) < 0.6 < max(narrow)


def test_a_covered_face_is_no_label_and_still_known_to_be_there() -> None:
    """Otherwise a teacher would not be believed where a part of it shows."""
    plain, covered = 0, 0
    for seed in range(60):
        scene = maker().scene(np.random.default_rng(seed))
        labelled = scene.boxes
        plain += len(labelled)
        covered += sum(float(np.sqrt(np.prod(box[2:] - box[:2]))) > 12 for box in scene.ignored)
    assert covered > 0.4 * plain > 50


def test_cells_near_the_middle_of_a_face_are_to_find_it() -> None:
    cells = Cells.of(SIDE_PX, CPU)
    boxes = torch.tensor([[100.0, 100.0, 112.0, 112.0], [90.0, 90.0, 290.0, 290.0]])
    targets = targets_of(cells, boxes, torch.tensor([[0.0, 0.0, 50.0, 50.0]]))
    small, large = ((targets.face == row).nonzero().squeeze(1) for row in (0, 1))
    assert len(small)
    assert (cells.strides[small] == 8).all()
    assert ((cells.places[small] - 106).abs() <= 6).all()
    assert len(large)
    assert (cells.strides[large] == 32).all()
    hidden = (cells.places <= 50).all(dim=1)
    assert torch.equal(targets.counts, ~hidden)


def test_every_size_of_face_has_a_cell() -> None:
    cells, random = Cells.of(SIDE_PX, CPU), np.random.default_rng(0)
    none = torch.empty(0, 4)
    for _ in range(300):
        size, middle = float(random.uniform(8, 250)), random.uniform(60, 260, 2)
        box = torch.tensor([[*(middle - size / 2), *(middle + size / 2)]], dtype=torch.float32)
        assert (targets_of(cells, box, none).face >= 0).any(), (size, middle)


def labels_of(scene: Scene) -> list[torch.Tensor]:
    return [torch.from_numpy(part) for part in (scene.boxes, scene.landmarks, scene.ignored)]


def test_a_right_answer_costs_little() -> None:
    """Cells that say exactly what is there, read back by what the detector itself reads."""
    cells = Cells.of(SIDE_PX, CPU)
    scene = Scene(
        np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8), BOX[None], LANDMARKS[None], np.empty((0, 4), "f4")
    )
    middle, size = torch.from_numpy((BOX[:2] + BOX[2:]) / 2), torch.from_numpy(BOX[2:] - BOX[:2])
    targets = targets_of(cells, torch.from_numpy(BOX)[None], torch.empty(0, 4))
    strides = cells.strides[:, None]
    right = torch.cat(
        [
            torch.where(targets.face[:, None] >= 0, 12.0, -12.0),
            (middle - cells.places) / strides,
            (size / strides).log(),
            ((torch.from_numpy(LANDMARKS) - cells.places[:, None]) / strides[..., None]).flatten(1),
        ],
        dim=1,
    )
    wanted = wanted_of_labels(cells, *labels_of(scene))
    assert float(losses(right[None], wanted, cells).total) < 1e-3
    wrong = losses(torch.zeros_like(right)[None], wanted, cells)
    assert float(wrong.total) > 1.0
    ends = np.cumsum([(SIDE_PX // stride) ** 2 for stride in STRIDES_PX])
    outputs = np.split(right.numpy(), ends[:-1])
    found = decode(outputs, SIDE_PX, 0.5)
    assert np.allclose(found.boxes, BOX, atol=1e-2)
    assert np.allclose(found.landmarks, LANDMARKS, atol=1e-2)


def said(score: float, box: FloatArray, cells: Cells) -> torch.Tensor:
    """float32 (C, 15): one cell, in the middle of `box`, says that there is a face."""
    spoken = torch.zeros(len(cells.strides), 15)
    middle, size = torch.from_numpy((box[:2] + box[2:]) / 2), torch.from_numpy(box[2:] - box[:2])
    which = int(((cells.places - middle).abs().sum(dim=1) + (cells.strides != 16) * 1e6).argmin())
    spoken[which, 0] = score
    spoken[which, 1:3] = (middle - cells.places[which]) / 16
    spoken[which, 3:5] = (size / 16).log()
    return spoken


def test_a_teacher_is_believed_where_somebody_found_a_face() -> None:
    cells = Cells.of(SIDE_PX, CPU)
    boxes, points, none = torch.from_numpy(BOX)[None], torch.from_numpy(LANDMARKS)[None], torch.empty(0, 4)
    wanted = wanted_of_teacher(said(0.9, BOX, cells), cells, boxes, points, none)
    (which,) = wanted.weight.nonzero()
    assert float(wanted.weight[which]) == float(wanted.score[which]) == pytest.approx(0.9)
    assert torch.allclose(wanted.boxes[which], boxes, atol=1e-3)
    elsewhere = BOX + np.float32(100)
    lied = wanted_of_teacher(said(0.9, elsewhere, cells), cells, boxes, points, none)
    assert not lied.score.nan_to_num().any()
    ignored = torch.from_numpy(elsewhere)[None]
    unsure = wanted_of_teacher(said(0.4, elsewhere, cells), cells, boxes, points, ignored)
    assert float(unsure.score.nan_to_num().max()) == pytest.approx(0.4)


def test_labels_count_for_a_face_that_the_teacher_misses() -> None:
    cells = Cells.of(SIDE_PX, CPU)
    boxes, points, none = torch.from_numpy(BOX)[None], torch.from_numpy(LANDMARKS)[None], torch.empty(0, 4)
    wanted = wanted_of_teacher(torch.zeros(len(cells.strides), 15), cells, boxes, points, none)
    labels = wanted_of_labels(cells, boxes, points, none)
    assert torch.equal(wanted.weight, labels.weight)
    assert torch.equal(wanted.score.isnan(), labels.score.isnan())
    found = labels.weight > 0
    assert torch.equal(wanted.boxes[found], labels.boxes[found])
    assert torch.equal(wanted.landmarks[found], labels.landmarks[found])


def training(checkpoint: Path | None, scenes: int = 24, seed: int = 0) -> DetectorTraining:
    torch.manual_seed(seed)
    options = DetectorOptions(scenes=scenes, batch=4, seed=seed)
    return DetectorTraining(CompactNet(), maker(), PHOTOS, options=options, checkpoint=checkpoint, device=CPU)


def test_the_detector_learns() -> None:
    reports = list(training(None, scenes=4 * 60).run(report_every=20))
    assert reports[-1].box < reports[0].box
    assert reports[-1].landmarks < reports[0].landmarks


def test_a_stopped_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = training(None)
    list(whole.run())
    stopped = training(tmp_path / "state")
    next(iter(stopped.run(report_every=2)))
    stopped.keep()
    resumed = training(tmp_path / "state")
    assert resumed.step == 2
    list(resumed.run())
    for name, value in whole.averaged.items():
        assert torch.equal(value, resumed.averaged[name]), name
    with pytest.raises(UsageError, match="seed"):
        training(tmp_path / "state", seed=1)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> CompactDetector:
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    save_network(folder, detector_card("untrained", "Knows nothing.", "a test"), CompactNet())
    model = Catalogue.load([folder]).open("untrained", ModelKind.DETECTOR)
    return CompactDetector(model, size_px=320, min_score=0.005)


class TestContract(DetectorContract):
    @pytest.fixture
    def detector(self, untrained: CompactDetector) -> CompactDetector:
        return untrained
