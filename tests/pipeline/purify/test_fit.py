"""Fitting: what comes out can be stored, and what cannot be fitted is refused with the way out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pipeline.errors import UsageError
from pipeline.purify.__main__ import main
from pipeline.purify.colour import LumaChroma
from pipeline.purify.fit import BasisKind, FitOptions, fit_eigen, fit_pin
from pipeline.types import ByteArray

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("kind", list(BasisKind))
def test_fitting_twice_gives_the_same(pictures: list[ByteArray], kind: BasisKind) -> None:
    one, other = (fit_pin(iter(pictures), FitOptions(30, 10, kind)) for _ in range(2))
    assert torch.equal(one.mean, other.mean)
    assert torch.allclose(one.basis.variances, other.basis.variances)
    picture = torch.eye(30)
    assert torch.allclose(one.basis.synthesise(picture), other.basis.synthesise(picture), atol=1e-4)


@pytest.mark.parametrize("kind", list(BasisKind))
def test_more_components_explain_more(pictures: list[ByteArray], kind: BasisKind) -> None:
    shares = [fit_pin(pictures, FitOptions(count, 5, kind)).explained for count in (5, 20, 80)]
    assert shares == sorted(shares)
    assert 0.9 < shares[-1] <= 1.0 + 1e-6


def test_the_randomised_decomposition_finds_the_same_space(pictures: list[ByteArray]) -> None:
    planes = LumaChroma().planes(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float())[:, 0]
    centred = planes - planes.mean(0)
    exact = fit_eigen(centred, 15, seed=0)
    randomised = fit_eigen(centred, 15, seed=7, exact_up_to=10)
    overlap = torch.linalg.svdvals(exact.analyse(randomised.synthesise(torch.eye(15))))
    assert overlap.min() > 0.99
    assert torch.allclose(exact.variances, randomised.variances, rtol=0.02)


def test_no_faces_are_refused() -> None:
    with pytest.raises(UsageError, match="no face was found"):
        fit_pin([], FitOptions())


def test_too_few_faces_say_how_many_are_needed(pictures: list[ByteArray]) -> None:
    with pytest.raises(UsageError, match="at least 801") as caught:
        fit_pin(pictures, FitOptions(800, kind=BasisKind.EIGEN))
    assert "--basis separable" in str(caught.value)
    with pytest.raises(UsageError, match="at least 32"):
        fit_pin(pictures[:31], FitOptions(800))


def test_copies_of_one_face_are_noticed(pictures: list[ByteArray]) -> None:
    with pytest.raises(UsageError, match="copies"):
        fit_pin(pictures[:20] * 3, FitOptions(40, 10, BasisKind.EIGEN))


@pytest.mark.parametrize(("components", "chroma"), [(0, 0), (20_000, 0), (10, 11), (10, -1)])
def test_impossible_numbers_are_refused(pictures: list[ByteArray], components: int, chroma: int) -> None:
    with pytest.raises(UsageError, match="--c"):
        fit_pin(pictures, FitOptions(components, chroma))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", list(BasisKind))
def test_cuda_fits_the_same_basis(pictures: list[ByteArray], kind: BasisKind) -> None:
    options = FitOptions(30, 10, kind)
    on_cpu, on_cuda = (fit_pin(pictures, options, torch.device(name)) for name in ("cpu", "cuda"))
    assert on_cuda.explained == pytest.approx(on_cpu.explained, rel=1e-4)
    assert torch.allclose(on_cuda.basis.variances, on_cpu.basis.variances, rtol=1e-3)


def test_a_crop_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="crop must be uint8 of 112x112x3"):
        fit_pin([np.zeros((100, 112, 3), np.uint8)], FitOptions())


def test_the_program_fits_a_folder(
    pictures: list[ByteArray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, picture in enumerate(pictures[:40]):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture[:, :, ::-1])
    out = tmp_path / "out"
    arguments = ["--crops", str(tmp_path), "--out", str(out), "--name", "mine", "--components", "50"]
    assert main(arguments) == 0
    assert "mine@" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {"mine.safetensors", "mine.card.yaml"}


def test_the_program_names_a_picture_of_another_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "odd.png"), np.zeros((50, 50, 3), np.uint8))
    assert main(["--crops", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "odd.png" in capsys.readouterr().err


def test_the_program_needs_little() -> None:
    """It must run where only torch, numpy, safetensors and OpenCV are installed."""
    check = (
        "import sys, pipeline.purify.__main__\n"
        "foreign = {'pydantic', 'yaml', 'requests', 'tenacity', 'structlog', 'typer', 'openvino', 'av',"
        " 'sqlalchemy', 'msgspec', 'faiss'}\n"
        "print(','.join(sorted(foreign & {name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
