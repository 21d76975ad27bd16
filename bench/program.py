"""The program as benchmarks run it: with the models that are named, else with those that ship with it."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from workers.build import Context

ASSETS = Path(os.environ.get("PINWATCH_ASSETS", "../shared/assets"))
"""Folder with models/, faces/lfw-dev/ and clips/, unless the command line names another."""

_CARDS = ("detector", "embedder", "purifier")


def add_cards(parser: argparse.ArgumentParser) -> None:
    """Options that name models."""
    for option in _CARDS:
        parser.add_argument(f"--{option}", metavar="CARD", help="default what ships with the program")


def models_folder(assets: Path = ASSETS) -> Path:
    """Where model files are: the environment's folder, else that of the assets."""
    return Path(os.environ.get("PINWATCH_MODELS", assets / "models"))


@contextmanager
def program(options: argparse.Namespace, assets: Path = ASSETS) -> Iterator[Context]:
    """The program with an empty data folder; `options` as :func:`add_cards` has them."""
    chosen = {name: getattr(options, name) for name in _CARDS if getattr(options, name) is not None}
    with (
        tempfile.TemporaryDirectory(prefix="pinwatch-bench-") as data,
        closing(Context()) as context,
    ):
        context.override(data=Path(data), models=models_folder(assets), **chosen)
        yield context


def models_in_words(context: Context) -> str:
    """Which they are."""
    settings = context.settings
    return f"{settings.detector.name}, {settings.embedder.name}, purifier {settings.purifier}"
