"""A missing requirement skips and is listed; a required one that is missing fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
TEST = """
import pytest

@pytest.mark.assets
def test_marked():
    pass

def test_with_fixture(models):
    pass

def test_plain():
    pass
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_it.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = assets\n")
    return tmp_path


def run(suite: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PINWATCH_REQUIRE": "", **variables}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(suite)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_what_is_missing_is_skipped_and_listed(suite: Path) -> None:
    done = run(suite, PINWATCH_ASSETS=str(suite / "nowhere"))
    assert done.returncode == 0
    assert "1 passed, 2 skipped" in done.stdout
    listed = [line for line in done.stdout.splitlines() if "needs the models, faces and clips" in line]
    names = [line.partition(": ")[0].rpartition("::")[2] for line in listed]
    assert names == ["test_marked", "test_with_fixture"]


def test_what_is_required_and_missing_fails(suite: Path) -> None:
    done = run(suite, PINWATCH_ASSETS=str(suite / "nowhere"), PINWATCH_REQUIRE="rtsp, assets")
    assert done.returncode == 1
    assert "1 passed, 2 errors" in done.stdout
    assert "PINWATCH_REQUIRE lists assets" in done.stdout


def test_what_is_there_runs(suite: Path) -> None:
    (suite / "assets" / "models").mkdir(parents=True)
    done = run(suite, PINWATCH_ASSETS=str(suite / "assets"), PINWATCH_REQUIRE="assets")
    assert done.returncode == 0
    assert "3 passed" in done.stdout


def test_an_unknown_requirement_is_a_usage_error(suite: Path) -> None:
    done = run(suite, PINWATCH_REQUIRE="asets")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "'asets' is not a valid Requirement" in done.stderr
