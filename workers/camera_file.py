"""Cameras from a YAML file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import ConfigError
from workers.camera_settings import Camera, make_camera


def read_cameras(path: Path) -> list[Camera]:
    """The cameras of a YAML file: a list of settings, or that list under the key ``cameras``.

    Raises:
        ConfigError: it cannot be read, or anything in it is wrong; every problem is named.
    """
    cameras, problems = [], []
    for number, settings in enumerate(_read_entries(path)):
        try:
            cameras.append(make_camera(settings, f"cameras.{number}"))
        except ConfigError as error:
            problems.append(str(error))
    names = [camera.name for camera in cameras]
    problems += [f"cameras: the name {name} is there twice" for name in _repeated(names)]
    if problems:
        raise ConfigError("\n".join(f"{path}: {line}" for text in problems for line in text.splitlines()))
    return cameras


def _read_entries(path: Path) -> Iterable[object]:
    document = _read_yaml(path)
    if isinstance(document, dict) and set(document) == {"cameras"}:
        document = document["cameras"]
    if not isinstance(document, list) or not document:
        raise ConfigError(f"{path} must hold a list of cameras, each with at least name and address")
    return document


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"there is no file {path}; check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    except yaml.YAMLError as error:  # its text quotes the line at fault, which may be an address
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
    raise ConfigError(f"{path} is not YAML{line}; check indentation and quotes there")


def _repeated(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
