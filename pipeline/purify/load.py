"""From a checked model file to a purifier. The one place that knows every selector."""

from __future__ import annotations

import copy
from typing import cast

from torch import nn

from pipeline.errors import ModelFormatError, UsageError
from pipeline.models import VerifiedModel
from pipeline.purify.adaptive import restore_adaptive
from pipeline.purify.paper import MaskMode, PaperSelector
from pipeline.purify.pin import NoPurification, Pin
from pipeline.purify.selector import Selector, SelectorKind, Threshold, TopK, Wiener
from pipeline.purify.storage import ARCHITECTURES, PinBasis, StoredPin, load_pin


def load_purifier(model: VerifiedModel) -> NoPurification | Pin:
    """A differentiable purifier in eval mode.

    Options that a card may have: ``keep`` luma components (default all) and ``chroma_keep`` components of
    each colour difference (default a quarter of them); ``level`` of ``pin_threshold``, ``noise`` of
    ``pin_wiener``, ``mode`` of ``pin_paper`` (``mean`` or ``probability``).

    Raises:
        ModelFormatError: no loader for the card's architecture, or its file or options do not fit it.
    """
    architecture = model.card.architecture
    if architecture == "none":
        return NoPurification()
    if architecture not in ARCHITECTURES:
        raise ModelFormatError(f"{model.card.name}: no loader for purifiers of architecture {architecture!r}")
    stored = load_pin(model.main_path)
    keep = _whole(model, "keep", stored.basis.count, range(1, stored.basis.count + 1))
    chroma_keep = _whole(model, "chroma_keep", max(1, keep // 4), range(keep + 1))
    basis = stored.basis.truncated(keep)
    try:
        selector = _selector(model, ARCHITECTURES[architecture], stored, basis)
    except (KeyError, ValueError, RuntimeError) as error:
        first = " ".join(str(error).split())[:300]
        raise ModelFormatError(f"{model.main_path} has no selector {architecture}: {first}") from error
    pin = Pin(model.card.model_id, stored.mean, basis, selector, chroma_keep)
    pin.eval().requires_grad_(False)
    return pin


def sampling(purifier: nn.Module, seed: int) -> Pin:
    """A copy of a purifier of the kind `paper` that samples its masks, as its authors do by default.

    For measuring what that is worth only: a decision behind it cannot be derived again, so that no card
    can ask for it.

    Raises:
        UsageError: it is of another kind.
    """
    if not isinstance(purifier, Pin) or not isinstance(purifier.selector, PaperSelector):
        raise UsageError("only purifiers of the kind paper can sample their masks")
    copied = copy.deepcopy(purifier)
    copied.selector = purifier.selector.sampling(seed)
    return copied


def _selector(model: VerifiedModel, kind: SelectorKind, stored: StoredPin, basis: PinBasis) -> Selector:
    match kind:
        case SelectorKind.TOP_K:
            return TopK(basis.count, basis.count)
        case SelectorKind.THRESHOLD:
            return Threshold(_positive(model, "level"))
        case SelectorKind.WIENER:
            return Wiener(basis.variances, _positive(model, "noise"))
        case SelectorKind.PAPER:
            return _paper(model, stored, basis.count)
        case SelectorKind.PINWATCH:
            return restore_adaptive(stored.selector)


def _paper(model: VerifiedModel, stored: StoredPin, count: int) -> Selector:
    mode = model.card.options.get("mode", MaskMode.MEAN)
    if mode not in (MaskMode.MEAN, MaskMode.PROBABILITY):
        raise ModelFormatError(f"{model.card.name}: option mode must be mean or probability, not {mode!r}")
    width = model.card.options.get("width", 1.0)
    if not isinstance(width, float):
        raise ModelFormatError(f"{model.card.name}: option width must be a number, not {width!r}")
    selector = PaperSelector(count, width=width, mode=MaskMode(mode))
    cast(nn.Module, selector).load_state_dict(dict(stored.selector))
    return selector


def _whole(model: VerifiedModel, key: str, default: int, allowed: range) -> int:
    value = model.card.options.get(key, default)
    if not isinstance(value, int) or value not in allowed:
        bounds = f"{allowed.start}..{allowed.stop - 1}"
        raise ModelFormatError(f"{model.card.name}: option {key} must be one of {bounds}, not {value!r}")
    return value


def _positive(model: VerifiedModel, key: str) -> float:
    value = model.card.options.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ModelFormatError(f"{model.card.name}: option {key} must be a positive number, not {value!r}")
    return float(value)
