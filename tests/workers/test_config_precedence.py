"""The command line wins over the environment, and the environment over the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from workers.config import load_settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "pinwatch.yaml"
    path.write_text("data: from-file\npurifier: pin\ndetector: {name: file-detector, min_score: 0.5}\n")
    return path


def test_the_environment_wins_over_the_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINWATCH_DATA", "from-environment")
    settings = load_settings(config, {})
    assert settings.data == Path("from-environment")
    assert settings.purifier == "pin"


def test_the_command_line_wins_over_both(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINWATCH_DATA", "from-environment")
    monkeypatch.setenv("PINWATCH_DETECTOR__NAME", "environment-detector")
    settings = load_settings(config, {"data": Path("from-line"), "detector.name": "line-detector"})
    assert settings.data == Path("from-line")
    assert settings.detector.name == "line-detector"
    assert settings.detector.min_score == 0.5
    assert settings.purifier == "pin"


def test_what_the_command_line_gives_is_checked(config: Path) -> None:
    with pytest.raises(ConfigError, match="purifier"):
        load_settings(config, {"purifier": 3})
