"""``kill -9`` of a program that records and decides: nothing acknowledged is lost, everything verifies.

By hand: ``python -m tests.end_to_end.chaos --rounds 50``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.recording.library import Recordings

PROGRAM = Path(sys.executable).with_name("pinwatch")
CAMERA = "lobby"
_LIFE_S = (1.0, 14.0)
_START_PATIENCE_S = 120.0
_LOST_S = 1.5
"""A fragment of footage is written every half second, and the disk has as long to take it."""


@dataclass(frozen=True, slots=True)
class Survived:
    """What was there after the kill.

    Attributes:
        decisions: In the file of sightings, the database and the ledger.
        replayed: How many of them were derived again as the same bytes.
        frames: In the footage.
        lost_s: How much of the footage before the kill is not there.
    """

    decisions: int
    replayed: int
    frames: int
    lost_s: float


def environment() -> dict[str, str]:
    """Without anything of this shell's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PINWATCH_")}


def run(*arguments: object) -> str:
    """The program's standard output; it must succeed."""
    done = subprocess.run(
        [str(PROGRAM), *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def kill_round(clip: Path, folder: Path, number: int) -> Survived:
    """Watch and record `clip` at its own pace, kill it at some instant, and look at what is left.

    Raises:
        AssertionError: something acknowledged is not there, or does not verify.
    """
    folder.mkdir(parents=True)
    data, lines = folder / "data", folder / "sightings.jsonl"
    command = [PROGRAM, "watch", clip, "--data", data, "--record", "--realtime", "--sightings", lines]
    with (folder / "watch.log").open("wb") as log:
        process = subprocess.Popen([*map(str, command)], env=environment(), stdout=log, stderr=log)
        try:
            began_s = _await_footage(data, process)
            time.sleep(random.Random(number).uniform(*_LIFE_S))
        finally:
            process.kill()
            process.wait(timeout=30)
    lived_s = time.monotonic() - began_s
    acknowledged = _acknowledged(lines)
    checked = run("recordings", "check", "--data", data)
    assert "all are as they were" in checked, checked
    assert "the ledger holds" in run("audit", "verify", "--data", data)
    replayed = _replayed(data)
    kept = _kept(data)
    assert acknowledged <= kept <= replayed.keys(), "what is announced is kept, and what is kept is recorded"
    assert set(replayed.values()) <= {"identical"}, replayed
    last_ns = [frame.pts_ns for frame in Recordings(data).frames(CAMERA, 0)]
    lost_s = max(0.0, lived_s - last_ns[-1] / 1e9)
    assert lost_s <= _LOST_S, f"{lost_s:.1f} s of footage were lost"
    return Survived(len(acknowledged), len(replayed), len(last_ns), lost_s)


def _await_footage(data: Path, process: subprocess.Popen[bytes]) -> float:
    """When the first bytes of footage were there."""
    deadline_s = time.monotonic() + _START_PATIENCE_S
    while time.monotonic() < deadline_s:
        assert process.poll() is None, "it ended too early"
        if any(path.stat().st_size > 5_000 for path in data.glob("recordings/*/*/*.mp4")):
            return time.monotonic()
        time.sleep(0.02)
    raise AssertionError("no footage was written")


def _acknowledged(lines: Path) -> set[str]:
    """The decisions that were announced; a last line may be torn."""
    whole = [
        line for line in lines.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")
    ]
    return {str(json.loads(line)["decision_id"]) for line in whole}


def _kept(data: Path) -> set[str]:
    with sqlite3.connect(data / "pinwatch.db") as database:
        rows = database.execute("SELECT decision_id FROM sightings WHERE revision = 'end'").fetchall()
    database.close()
    return {row[0] for row in rows}


def _replayed(data: Path) -> dict[str, str]:
    """What became of every decision in the ledger; none where none was made in time."""
    done = subprocess.run(
        [str(PROGRAM), "replay", "--json", "--data", str(data)],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=300,
        check=False,
    )
    if "holds no decision" in done.stderr:
        return {}
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["decision_id"]: row["result"] for row in rows}


def main(arguments: list[str] | None = None) -> int:
    """Some rounds; prints a line a round, and fails with the first that is not right."""
    from workers.demo.footage import compose

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        clip = folder / f"{CAMERA}.mp4"
        for _ in compose(clip):
            pass
        for number in range(given.rounds):
            found = kill_round(clip, folder / f"round{number}", number)
            sys.stdout.write(
                f"round {number}: {found.decisions} decisions announced, {found.replayed} derived again, "
                f"{found.frames} frames, {found.lost_s:.2f} s of footage lost\n"
            )
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
