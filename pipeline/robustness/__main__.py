"""Runs an evaluation where Pinwatch itself is not installed: ``python -m pipeline.robustness --help``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.errors import PinwatchError
from pipeline.robustness.plan import PLANS
from pipeline.robustness.protocol import Split
from pipeline.robustness.run import Request, run


def parse(arguments: list[str] | None) -> Request:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.robustness", description=__doc__)
    parser.add_argument("--faces", type=Path, required=True, help="from `pinwatch robustness pack`")
    parser.add_argument(
        "--models", type=Path, action="append", required=True, help="folder of cards and files"
    )
    parser.add_argument("--embedder", required=True, help="card of the embedder that is attacked")
    parser.add_argument("--defence", action="append", required=True, help="control or purifier's card")
    parser.add_argument("--transfer", action="append", default=[], help="embedder that T1 attacks through")
    parser.add_argument("--surrogate", action="append", default=[], help="control that T2b attacks through")
    parser.add_argument("--plan", choices=sorted(PLANS), default="small")
    parser.add_argument("--split", type=Split, choices=[Split.SELECT, Split.SCORE], default=Split.SCORE)
    parser.add_argument("--out", type=Path, required=True, help="file of records, added to")
    parser.add_argument("--work", type=Path, required=True, help="folder for examples, to go on from")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args(arguments)
    return Request(
        faces=given.faces,
        models=tuple(given.models),
        embedder=given.embedder,
        defences=tuple(given.defence),
        transfer=tuple(given.transfer),
        surrogates=tuple(given.surrogate),
        plan=given.plan,
        split=given.split,
        out=given.out,
        work=given.work,
        device=given.device,
    )


def main(arguments: list[str] | None = None) -> int:
    """0, 1 where a sanity gate did not hold, or the error's exit code."""
    request = parse(arguments)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("starting", total=None)
            gates = run(
                request,
                lambda what, done, total: bar.update(task, description=what, completed=done, total=total),
            )
    except PinwatchError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    for gate in gates:
        sys.stdout.write(f"{'held' if gate.held else 'FAILED'}: {gate.name}: {gate.detail}\n")
    return 0 if all(gate.held for gate in gates) else 1


if __name__ == "__main__":
    sys.exit(main())
