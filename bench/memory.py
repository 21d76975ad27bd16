"""Memory over time: one process watches the same clip twenty times over, without a pause.

    python -m bench.memory [--clip FILE] [--times 20]

Prints the resident set after every round, and how much the median of the last five rounds lies
above that of the five after the second (by then everything is loaded and the caches are full).
Exits with 1 if that is 5 % or more.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil

from bench.clips import looped
from bench.errors import in_one_line
from bench.program import ASSETS, add_cards, program
from pipeline.sources.file import FileSource
from pipeline.types import Frame, TrackedFace
from workers.build import Context, WatchRequest
from workers.session import Hooks

WARM_ROUNDS = 2
WINDOW = 5
LIMIT = 0.05


def resident_mib() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20


class Rounds:
    """Reads the resident set each time the clip has gone by once."""

    def __init__(self, frames: int) -> None:
        self.sizes_mib: list[float] = []
        self._frames = frames
        self._seen = 0

    def on_frame(self, frame: Frame, tracked: Sequence[TrackedFace]) -> None:
        self._seen += 1
        if self._seen % self._frames == 0:
            self.sizes_mib.append(resident_mib())
            print(f"round {len(self.sizes_mib):3d}: {self.sizes_mib[-1]:7.1f} MiB", flush=True)


def growth(sizes_mib: Sequence[float]) -> float:
    """How far the last rounds lie above the first warm ones, as a share."""
    first = statistics.median(sizes_mib[WARM_ROUNDS : WARM_ROUNDS + WINDOW])
    return statistics.median(sizes_mib[-WINDOW:]) / first - 1


def watch(context: Context, clip: Path, times: int, folder: Path) -> Rounds:
    rounds = Rounds(sum(1 for _ in FileSource(clip).frames()))
    long = looped(clip, times, folder / "long.mp4")
    with context.session(WatchRequest(sources=(str(long),)), Hooks(rounds.on_frame)) as session:
        tracks = sum(session.run().counts.values())
    print(f"{tracks} tracks in all")
    return rounds


@in_one_line
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clip", type=Path, default=ASSETS / "clips" / "crowd.mp4")
    parser.add_argument("--times", type=int, default=20)
    add_cards(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, program(options) as context:
        grown = growth(watch(context, options.clip, options.times, Path(folder)).sizes_mib)
    print(f"growth: {grown:+.1%} (limit {LIMIT:.0%})")
    sys.exit(grown >= LIMIT)


if __name__ == "__main__":
    main()
