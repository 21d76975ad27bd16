"""Purifiers without training: what ours is compared with, and what an attacker may put in their place.

All are fitted to the people who train. Names say what they are: ``eigen-800`` keeps the first 800
eigenfaces, ``wiener-0.05`` weighs 2,500 of them against noise of that variance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from torch import nn

from pipeline.errors import UsageError
from pipeline.purify.fit import BasisKind, FitOptions, fit_pin, save_fitted
from pipeline.purify.pin import NONE_ID, NoPurification, Pin
from pipeline.purify.selector import Selector, Threshold, TopK, Wiener
from pipeline.purify.storage import StoredPin, load_pin
from pipeline.robustness.faces import FacePack
from pipeline.robustness.protocol import Split
from pipeline.types import ByteArray

COMPONENTS = 2_500
"""Of eigenfaces, as published."""

_BUILT_IN = {
    "eigen-2500": (BasisKind.EIGEN, 2_500, "topk", 2_500.0),
    "eigen-1500": (BasisKind.EIGEN, 1_500, "topk", 1_500.0),
    "eigen-800": (BasisKind.EIGEN, 800, "topk", 800.0),
    "eigen-400": (BasisKind.EIGEN, 400, "topk", 400.0),
    "threshold-0.1": (BasisKind.EIGEN, 2_500, "threshold", 0.1),
    "threshold-0.2": (BasisKind.EIGEN, 2_500, "threshold", 0.2),
    "wiener-0.01": (BasisKind.EIGEN, 2_500, "wiener", 0.01),
    "wiener-0.05": (BasisKind.EIGEN, 2_500, "wiener", 0.05),
    "wiener-0.1": (BasisKind.EIGEN, 2_500, "wiener", 0.1),
    "wiener-0.2": (BasisKind.EIGEN, 2_500, "wiener", 0.2),
    "2dpca-800": (BasisKind.SEPARABLE, 800, "topk", 800.0),
    "2dpca-400": (BasisKind.SEPARABLE, 400, "topk", 400.0),
    "dct-800": (BasisKind.DCT, 800, "topk", 800.0),
    "dct-300": (BasisKind.DCT, 300, "topk", 300.0),
}

CONTROLS = (NONE_ID, *_BUILT_IN)
SURROGATES = ("2dpca-800", "2dpca-400", "dct-800", "dct-300", "wiener-0.05", "wiener-0.2")


class Controls:
    """Makes them by name; each basis is fitted once, when it is first needed.

    Args:
        pack: Whose people of `TRAIN` they are fitted to.
        folder: Where fitted bases are kept, since eigenfaces take minutes; ``None`` keeps nothing.
    """

    def __init__(self, pack: FacePack, folder: Path | None = None) -> None:
        self._pack = pack
        self._folder = folder
        self._rows = pack.rows_of(Split.TRAIN)
        self._fitted: dict[BasisKind, StoredPin] = {}

    def get(self, name: str) -> nn.Module:
        """The purifier called `name`, in eval mode.

        Raises:
            UsageError: there is none of that name.
        """
        if name == NONE_ID:
            return NoPurification()
        if name not in _BUILT_IN:
            raise UsageError(f"there is no control {name!r}: choose from {', '.join(CONTROLS)}")
        kind, components, selection, value = _BUILT_IN[name]
        fitted = self._fit(kind)
        basis = fitted.basis.truncated(components)
        selectors: Mapping[str, Callable[[], Selector]] = {
            "topk": partial(TopK, components, components),
            "threshold": partial(Threshold, value),
            "wiener": partial(Wiener, basis.variances, value),
        }
        pin = Pin(name, fitted.mean, basis, selectors[selection](), components // 4)
        return pin.eval().requires_grad_(False)

    def _fit(self, kind: BasisKind) -> StoredPin:
        if kind not in self._fitted:
            self._fitted[kind] = self._kept_or_fitted(kind)
        return self._fitted[kind]

    def _kept_or_fitted(self, kind: BasisKind) -> StoredPin:
        options = FitOptions(components=COMPONENTS, kind=kind)
        digest = hashlib.sha256("\n".join(self._pack.photos[row] for row in self._rows).encode())
        name = f"{kind}-{COMPONENTS}-{digest.hexdigest()[:12]}"
        if self._folder is not None and (path := self._folder / f"{name}.safetensors").exists():
            return load_pin(path)
        fitted = fit_pin(self._crops(), options)
        if self._folder is not None:
            save_fitted(fitted, self._folder, name, options)
        return StoredPin(fitted.mean, fitted.basis)

    def _crops(self) -> Iterator[ByteArray]:
        return (self._pack.crop(row) for row in self._rows)
