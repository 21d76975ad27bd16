"""What a run of the robustness gauge costs, and what it does to a pipeline beside it.

    python -m bench.gauge --faces DIR [--people 6] [--seconds 30]

`DIR` has a folder of photographs for each person, as LFW's. The pipeline is one thread that embeds crops as
fast as it can, with attack evidence: what the gauge competes with for processors.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.program import add_cards, models_in_words, program
from pipeline.errors import ImageError
from pipeline.seams import FaceEmbedder
from workers.build import Context
from workers.canary.door import Given, cut_photos
from workers.canary.process import ShadowProcess, done_by
from workers.canary.records import Consent, Run
from workers.canary.runs import RunStore
from workers.canary.store import CanaryStore

_PHOTOS = 4
_BATCH = 8


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True, help="folder of people")
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long the pipeline runs alone")
    add_cards(parser)
    options = parser.parse_args()
    with program(options) as context:
        print(models_in_words(context))
        _take_in(context, options.faces, options.people)
        embedder = context.with_evidence(context.embedder())
        alone = _rate(embedder, _for_so_long(options.seconds))
        run, beside = _beside(context, embedder)
    if run is None or run.circumstances is None:
        raise SystemExit("the run came to nothing" if run is None else run.reason)
    of = run.circumstances
    print(f"run: {of.probed} of {of.probes} probes in {of.seconds:.1f} s with loading, on {of.device}")
    print(f"pipeline: {alone:.1f} crops/s alone, {beside:.1f} beside it ({beside / alone:.0%})")


def _take_in(context: Context, faces: Path, people: int) -> None:
    """The first `people` of the folder whose photographs will do."""
    store, vision = CanaryStore(context.database()), context.vision()
    consent = Consent("a benchmark", "a benchmark", "2000", "9999")
    for folder in sorted(path for path in faces.iterdir() if path.is_dir()):
        photos = sorted(folder.glob("*.jpg"))[:_PHOTOS]
        if len(photos) < _PHOTOS or len(store.all()) >= people:
            continue
        try:
            cut = cut_photos([Given(str(path), path.read_bytes()) for path in photos], vision)
        except ImageError:
            continue
        store.add(folder.name, consent, cut)


def _for_so_long(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def _rate(embedder: FaceEmbedder, going: Callable[[], bool]) -> float:
    """Crops a second."""
    crops = [np.random.default_rng(n).integers(0, 256, (112, 112, 3), np.uint8) for n in range(_BATCH)]
    began, done = time.monotonic(), 0
    while going():
        embedder.embed(crops)
        done += len(crops)
    return done / (time.monotonic() - began)


def _beside(context: Context, embedder: FaceEmbedder) -> tuple[Run | None, float]:
    """A run in the shadow lane's process, and the rate meanwhile."""
    runs, settings = RunStore(context.database()), context.settings
    found: list[Run | None] = []

    def measure() -> None:
        found.append(done_by(ShadowProcess(settings), runs, settings.canary, "a benchmark", every_s=0))

    thread = threading.Thread(target=measure)
    thread.start()
    rate = _rate(embedder, thread.is_alive)
    thread.join()
    return found[0], rate


if __name__ == "__main__":
    main()
