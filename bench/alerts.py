"""What alerts cost: decisions through the engine, with rules that match none, some or all of them.

``python -m bench.alerts --sightings 1000 --rules 20``
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gallery.database import Database
from pipeline.types import Outcome, Revision, Sighting
from workers.alerts.engine import AlertEngine
from workers.alerts.rule_store import RuleStore
from workers.alerts.rules import Kind, Rule, When

START = datetime(2025, 1, 31, 8, tzinfo=UTC)
_SUBJECTS = 200
_CAMERAS = 8

_PLAIN = Sighting(
    decision_id="", run_id="bench", revision=Revision.END, revision_number=0, camera_id="", stream_epoch=0,
    track_id=0, outcome=Outcome.KNOWN, subject_id=None, candidate_id=None, similarity=0.8, runner_up=None,
    margin=None, threshold=0.5, threshold_origin="card", votes=1.0, first_seen_s=0.0, last_seen_s=1.0,
    first_seen_at=None, last_seen_at=None, frames=10, crops=5, dropped_by_cause={}, attack_evidence=None,
    detector="bench", embedder="bench", purifier="none", align_version="bench", gallery_epoch=0, reason="",
)  # fmt: skip


def decisions(count: int) -> list[Sighting]:
    """Of so many tracks, each seen for a second, one every two seconds."""
    return [_decision(number) for number in range(count)]


def _decision(number: int) -> Sighting:
    subject = f"subject{number % _SUBJECTS}"
    first = START + timedelta(seconds=2 * number)
    return replace(
        _PLAIN,
        decision_id=f"d{number}",
        camera_id=f"camera {number % _CAMERAS}",
        track_id=number,
        subject_id=subject,
        candidate_id=subject,
        first_seen_at=first.isoformat(),
        last_seen_at=(first + timedelta(seconds=1)).isoformat(),
    )


def measure(sightings: Sequence[Sighting], rules: int, matching: int, batch: int) -> tuple[float, float]:
    """Milliseconds a decision, by the clock and of the processor.

    Args:
        sightings: The decisions.
        rules: How many there are.
        matching: How many of them match each decision.
        batch: How many decisions are written together.
    """
    with tempfile.TemporaryDirectory() as folder:
        database = Database.open(Path(folder))
        store = RuleStore(database)
        for number in range(rules):
            when = When(Kind.KNOWN) if number < matching else When(Kind.PERSON, subject_id=f"nobody{number}")
            store.add(Rule("", f"rule {number}", when))
        engine = AlertEngine(database, UTC, now_ns=time.time_ns)
        begun_s, worked_s = time.perf_counter(), time.process_time()
        for start in range(0, len(sightings), batch):
            engine.write(sightings[start : start + batch])
        taken_s, worked_s = time.perf_counter() - begun_s, time.process_time() - worked_s
        database.close()
    return taken_s * 1e3 / len(sightings), worked_s * 1e3 / len(sightings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sightings", type=int, default=1000)
    parser.add_argument("--rules", type=int, default=20)
    options = parser.parse_args()
    sightings = decisions(options.sightings)
    print(f"{options.sightings} decisions, {options.rules} rules: milliseconds a decision")
    print("| rules that match | one at a time | ... of the processor | 64 at a time | ... of the processor |")
    print("|---|---|---|---|---|")
    for matching in (0, 1, options.rules):
        taken = [measure(sightings, options.rules, matching, batch) for batch in (1, 64)]
        print(f"| {matching} | " + " | ".join(f"{one:.2f}" for pair in taken for one in pair) + " |")


if __name__ == "__main__":
    main()
