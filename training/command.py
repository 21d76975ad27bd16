"""What the commands of recipes share: numbers of a recipe as options, and how a command ends."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import Progress as Bar

from pipeline.errors import PinwatchError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Recipe = TypeVar("Recipe", bound="DataclassInstance")


def add_options(
    section: argparse._ActionsContainer, recipe: type[DataclassInstance], *, without: tuple[str, ...] = ()
) -> None:
    """Every number of a recipe as an option of the same name, with its default.

    Args:
        section: A parser, or a group of one.
        recipe: A dataclass whose fields all have defaults; ``None`` stands for a whole number.
        without: Fields that are left out.
    """
    for option in fields(recipe):
        if option.name not in without:
            kind = int if option.default is None else type(option.default)
            section.add_argument("--" + option.name.replace("_", "-"), type=kind, default=option.default)


def chosen(given: argparse.Namespace, recipe: type[Recipe]) -> Recipe:
    """The recipe with the numbers that were given."""
    return recipe(**{option.name: getattr(given, option.name) for option in fields(recipe)})


def run(work: Callable[[Bar], str]) -> int:
    """Do `work`, show how far it is, print what came of it; 0, or the error's exit code."""
    try:
        with Bar(console=Console(stderr=True)) as bar:
            said = work(bar)
    except PinwatchError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"{said}\n")
    return 0
