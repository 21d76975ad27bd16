"""Measures what a detector and embedders are worth, from their weights, and prints it.

    python -m training.report embedders --faces faces.npz --models DIR --embedder CARD ...
    python -m training.report detector --photos lfw/ --pairs pairs.txt --clips DIR --models DIR \\
        --detector CARD

Every figure on a card of ours is printed here. Scored are people of fold 5 and clips, which no recipe sees.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.errors import PinwatchError
from training.measure_detector import measure_detector
from training.measure_embedder import measure_embedder


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.report", description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    embedders = verbs.add_parser(
        "embedders", help="accuracy without and with purifiers, and for whom it is less"
    )
    embedders.add_argument("--faces", type=Path, required=True, help="from `pinwatch robustness pack`")
    embedders.add_argument("--embedder", action="append", required=True, metavar="CARD")
    embedders.add_argument("--purifier", action="append", metavar="CARD", help="default none, pinwatch-pin")
    detector = verbs.add_parser("detector", help="what it finds beside what its teachers find, and how fast")
    detector.add_argument("--photos", type=Path, required=True, help="folder of photographs, Name_0001.jpg")
    detector.add_argument("--pairs", type=Path, required=True, help="pairs of LFW's View 2: who is scored")
    detector.add_argument("--clips", type=Path, required=True, help="folder of crowd.mp4 and one-by-one.mp4")
    detector.add_argument("--detector", required=True, metavar="CARD")
    for verb in (embedders, detector):
        verb.add_argument("--models", type=Path, action="append", required=True, help="folders of models")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """0, or the error's exit code."""
    given = parse(arguments)
    try:
        if given.verb == "detector":
            found = measure_detector(given.detector, given.models, given.photos, given.pairs, given.clips)
            sys.stdout.write(found.as_text() + "\n")
        else:
            purifiers = given.purifier or ["none", "pinwatch-pin"]
            for embedder in given.embedder:
                for purifier in purifiers:
                    sys.stdout.write(
                        measure_embedder(embedder, purifier, given.models, given.faces).as_text() + "\n"
                    )
                    sys.stdout.flush()
    except PinwatchError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
