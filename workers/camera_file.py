"""Cameras from a YAML file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import ConfigError, UsageError
from workers.camera_settings import Camera, make_camera


def read_cameras(path: Path) -> list[Camera]:
    """The cameras of a YAML file: a list of settings, or that list under the key ``cameras``.

    Raises:
        ConfigError: it cannot be read, or anything in it is wrong; every problem is named.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"there is no file {path}; check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    return cameras_in(text, lambda settings: settings, str(path))


def cameras_in(text: str, complete: Callable[[object], object], name: str = "the file") -> list[Camera]:
    """The same of its text.

    Args:
        text: YAML.
        complete: Told the settings of each camera as they are written; what it returns is taken.
        name: Of the file, for people.

    Raises:
        ConfigError: anything in it is wrong; every problem is named.
    """
    cameras, problems = [], []
    for number, settings in enumerate(_entries(text, name)):
        try:
            cameras.append(make_camera(complete(settings), f"cameras.{number}"))
        except UsageError as error:
            problems.append(str(error))
    names = [camera.name for camera in cameras]
    problems += [f"cameras: the name {name} is there twice" for name in _repeated(names)]
    if problems:
        raise ConfigError("\n".join(f"{name}: {line}" for text in problems for line in text.splitlines()))
    return cameras


def _entries(text: str, path: str) -> Iterable[object]:
    document = _read_yaml(text, path)
    if isinstance(document, dict) and set(document) == {"cameras"}:
        document = document["cameras"]
    if not isinstance(document, list) or not document:
        raise ConfigError(f"{path} must hold a list of cameras, each with at least name and address")
    return document


def _read_yaml(text: str, path: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # Its text quotes the line at fault, which may be an address.
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
    raise ConfigError(f"{path} is not YAML{line}; check indentation and quotes there")


def _repeated(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
