"""Memory over time: the same clip again and again through one process.

    python -m bench.memory [--clip FILE] [--times 20]

Prints the resident set after every round and its growth from the third round (when everything is
loaded and the caches are full) to the last. Exits with 1 if it grew by 5 % or more.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
from pathlib import Path

import psutil

from workers.build import Context, WatchRequest

ASSETS = Path(os.environ.get("PINWATCH_ASSETS", "../shared/assets"))
WARM_ROUNDS = 3
LIMIT = 0.05


def resident_mib() -> float:
    gc.collect()
    return float(psutil.Process().memory_info().rss) / 2**20


def growth(clip: Path, times: int, folder: Path) -> float:
    """Watch `clip` `times` times; the growth of the resident set after the warm rounds, as a share."""
    context = Context()
    context.override(data=folder)
    sizes: list[float] = []
    for number in range(times):
        with context.session(WatchRequest(sources=(str(clip),))) as session:
            tracks = sum(session.run().counts.values())
        sizes.append(resident_mib())
        print(f"round {number + 1:3d}: {tracks} tracks, {sizes[-1]:7.1f} MiB", flush=True)
    context.close()
    return sizes[-1] / sizes[min(WARM_ROUNDS, times) - 1] - 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clip", type=Path, default=ASSETS / "clips" / "crowd.mp4")
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args()
    os.environ.setdefault("PINWATCH_MODELS", str(ASSETS / "models"))
    with tempfile.TemporaryDirectory() as folder:
        grown = growth(options.clip, options.times, Path(folder))
    print(f"growth after round {WARM_ROUNDS}: {grown:+.1%} (limit {LIMIT:.0%})")
    sys.exit(grown >= LIMIT)


if __name__ == "__main__":
    main()
