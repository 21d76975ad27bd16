"""Reads cards from YAML and refuses what they must not contain, by name."""

from __future__ import annotations

import functools
import importlib.resources
import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError
from pipeline.models.card import ModelCard

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

CARD_SUFFIX = ".card.yaml"


@functools.cache
def _adapter() -> TypeAdapter[ModelCard]:
    from pydantic import TypeAdapter

    return TypeAdapter(ModelCard)


def parse_card(document: Any, origin: str) -> ModelCard:
    """One card from a parsed YAML document; `origin` names it in errors.

    Raises:
        ConfigError: a key is unknown or missing, or a value does not fit; names the dotted path.
    """
    from pydantic import ValidationError

    try:
        # By way of JSON: strict mode then still takes lists for tuples and text for enums.
        return _adapter().validate_json(json.dumps(document))
    except ValidationError as error:
        raise ConfigError(f"{origin}: {_describe(error)}") from error
    except TypeError as error:
        raise ConfigError(f"{origin}: not a card: {error}") from error


def _describe(error: ValidationError) -> str:
    problems = []
    for item in error.errors(include_url=False):
        where = ".".join(str(part) for part in item["loc"]) or "card"
        unknown = item["type"] in ("extra_forbidden", "unexpected_keyword_argument")
        problems.append(f"{where}: {'unknown key' if unknown else item['msg']}")
    return "; ".join(problems)


def load_yaml(text: str, origin: str) -> Any:
    """Parsed YAML.

    Raises:
        ConfigError: it is not YAML; names `origin` and the line.
    """
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{origin}: not YAML: {' '.join(str(error).split())}") from error


def bundled_cards() -> list[ModelCard]:
    """The cards that travel with the program: ``configs/models.yaml``, and those beside bundled weights."""
    text = importlib.resources.files("configs").joinpath("models.yaml").read_text("utf-8")
    documents = load_yaml(text, "configs/models.yaml")["models"]
    listed = [parse_card(document, f"configs/models.yaml[{n}]") for n, document in enumerate(documents)]
    return listed + [read_card(path) for path in sorted(bundled_folder().glob(f"*{CARD_SUFFIX}"))]


def bundled_folder() -> Path:
    """Where the weights lie that travel with the program."""
    return Path(str(importlib.resources.files("configs").joinpath("weights")))


def package_folder(package: str) -> Path | None:
    """The folder ``models`` of an installed package, which is not imported; ``None`` where it is not."""
    spec = importlib.util.find_spec(package)
    places = spec.submodule_search_locations if spec is not None else None
    return Path(places[0]) / "models" if places else None


def read_card(path: Path) -> ModelCard:
    """The card in one ``*.card.yaml`` file.

    Raises:
        ConfigError: it cannot be read or is not a card.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read card {path}: {error}") from error
    return parse_card(load_yaml(text, str(path)), str(path))
