"""Fits PIN where Pinwatch itself is not installed: ``python -m pipeline.purify --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2

from pipeline.errors import PinwatchError, UsageError
from pipeline.purify.basis import SIDE
from pipeline.purify.fit import BasisKind, FitOptions, fit_pin, save_fitted
from pipeline.types import ByteArray


def read_crops(folder: Path) -> Iterator[ByteArray]:
    """The 112x112 pictures of `folder` and below, in order of their paths, as RGB.

    Raises:
        UsageError: one cannot be read or has another size.
    """
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".png", ".bmp")):
        crop_bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if crop_bgr is None or crop_bgr.shape != (SIDE, SIDE, 3):
            raise UsageError(f"{path} is not a picture of {SIDE}x{SIDE} pixels")
        yield cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2RGB).astype("uint8", copy=False)


def main(arguments: list[str] | None = None) -> int:
    """Parse `arguments` (default: the command line), fit, save; 0 or the error's exit code."""
    defaults = FitOptions()
    parser = argparse.ArgumentParser(prog="python -m pipeline.purify", description=__doc__)
    parser.add_argument("--crops", type=Path, required=True, help="folder of aligned 112x112 PNG faces")
    parser.add_argument("--out", type=Path, required=True, help="where NAME.safetensors and its card go")
    parser.add_argument("--name", default="pin")
    parser.add_argument("--components", type=int, default=defaults.components)
    parser.add_argument("--chroma-components", type=int, default=None)
    parser.add_argument("--basis", type=BasisKind, choices=list(BasisKind), default=defaults.kind)
    parser.add_argument("--seed", type=int, default=defaults.seed)
    given = parser.parse_args(arguments)
    options = FitOptions(given.components, given.chroma_components, given.basis, given.seed)
    try:
        card = save_fitted(fit_pin(read_crops(given.crops), options), given.out, given.name, options)
    except PinwatchError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"{card.model_id}: {card.description}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
