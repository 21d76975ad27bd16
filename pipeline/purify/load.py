"""From a checked model file to a purifier."""

from __future__ import annotations

from pipeline.errors import ModelFormatError
from pipeline.models import VerifiedModel
from pipeline.purify.pin import NoPurification, Pin
from pipeline.purify.selector import TopK
from pipeline.purify.storage import ARCHITECTURE, load_pin


def load_purifier(model: VerifiedModel) -> NoPurification | Pin:
    """A differentiable purifier in eval mode.

    Card options of ``pin_topk``: ``keep`` luma components (default all) and ``chroma_keep`` components
    of each colour difference (default a quarter of them).

    Raises:
        ModelFormatError: no loader for the card's architecture, or its file or options do not fit it.
    """
    match model.card.architecture:
        case "none":
            return NoPurification()
        case architecture if architecture == ARCHITECTURE:
            return _load_top_k(model)
        case unknown:
            raise ModelFormatError(f"{model.card.name}: no loader for purifiers of architecture {unknown!r}")


def _load_top_k(model: VerifiedModel) -> Pin:
    mean, basis = load_pin(model.main_path)
    keep = _option(model, "keep", basis.count, range(1, basis.count + 1))
    chroma_keep = _option(model, "chroma_keep", max(1, keep // 4), range(keep + 1))
    pin = Pin(model.card.model_id, mean, basis.truncated(keep), TopK(keep, keep), chroma_keep)
    pin.eval().requires_grad_(False)
    return pin


def _option(model: VerifiedModel, key: str, default: int, allowed: range) -> int:
    value = model.card.options.get(key, default)
    if not isinstance(value, int) or value not in allowed:
        bounds = f"{allowed.start}..{allowed.stop - 1}"
        raise ModelFormatError(f"{model.card.name}: option {key} must be one of {bounds}, not {value!r}")
    return value
