"""What proof costs: the program on one clip with ledger, kept crops and faces, and without, in turn.

    python -m bench.ledger_share [--clip FILE] [--times 10] [--rounds 3]

Watches the clip, so many times in a row, with everything on and everything off, alternately; prints time and
processor time of the fastest round of each, and the share that being able to prove takes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.clips import looped
from bench.errors import in_one_line
from bench.program import ASSETS, models_folder
from workers.build import Context, WatchRequest

_OFF = "audit: {ledger: false, crops: false, faces: false}\n"


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of one round: by the clock, and of all processors together."""

    wall_s: float
    processor_s: float


@contextmanager
def _program(folder: Path, proof: bool) -> Iterator[Context]:
    config = folder / "off.yml"
    config.write_text(_OFF, encoding="utf-8")
    with tempfile.TemporaryDirectory(dir=folder) as data, closing(Context()) as context:
        context.override(
            config=None if proof else config,
            data=Path(data),
            models=models_folder(ASSETS),
            purifier="pinwatch-pin",
        )
        context.embedder()  # loading is not what is measured
        context.detector()
        yield context


def spent(clip: Path, folder: Path, proof: bool) -> Spent:
    """One round, until everything is durable."""
    with _program(folder, proof) as context:
        wall_s, processor_s = time.perf_counter(), time.process_time()
        with context.session(WatchRequest(sources=(str(clip),))) as session:
            session.run()
        context.close()
        return Spent(time.perf_counter() - wall_s, time.process_time() - processor_s)


@in_one_line
def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clip", type=Path, default=ASSETS / "clips" / "crowd.mp4")
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found: dict[bool, list[Spent]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = looped(options.clip, options.times, folder / options.clip.name)
        spent(clip, folder, False)
        for _ in range(options.rounds):
            for proof, rounds in found.items():
                rounds.append(spent(clip, folder, proof))
    for measure in ("wall_s", "processor_s"):
        with_proof, without = (
            min(getattr(each, measure) for each in found[proof]) for proof in (True, False)
        )
        share = 1 - without / with_proof
        print(f"{measure}: {with_proof:.2f} with, {without:.2f} without: proof takes {share:.1%}")


if __name__ == "__main__":
    main()
