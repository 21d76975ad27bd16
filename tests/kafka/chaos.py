"""``kill -9`` at random instants: an audit loses nothing, live cameras account for everything.

By hand: ``python -m tests.kafka.chaos --rounds 50`` (needs PINWATCH_ASSETS).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audit.ledger.entries import Entry, Kind
from audit.ledger.folder import FOLDER, LedgerFolder
from audit.ledger.frames import Frame
from audit.ledger.signing import Verifier
from audit.ledger.verify import verify
from pipeline.types import FaceCrop, TrackEnded, TrackKey
from tests.kafka.broker import Broker
from tests.kafka.crew import Crew, environment, wait_until
from workers.bus.kafka.bus import KafkaBus
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.options import KafkaOptions
from workers.outbox import Outbox

JOB, CAMERA = "case", "gate"
TRACKS = 24
"""Of a live round."""
_AUDIT_PATIENCE_S, _LIVE_PATIENCE_S = 150.0, 120.0
_PAUSES_S = (0.2, 2.0)
_CROPS_A_TRACK, _BEAT_S = 10, 0.4
_ENDED = "SELECT record FROM sightings WHERE revision = 'end' ORDER BY decision_id"


def canonical(data: Path) -> list[str]:
    """The records of all ended tracks in a data folder, in the order of their ids; none without tables."""
    with sqlite3.connect(f"file:{data / 'pinwatch.db'}?mode=ro", uri=True, timeout=30) as database:
        made = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'sightings'").fetchone()
        rows = database.execute(_ENDED).fetchall() if made else []
    database.close()
    return [row[0] for row in rows]


def kill_everything(crew: Crew, broker: Broker, victims: Sequence[str], random_: random.Random) -> None:
    """Each of `victims` and the broker once, in some order, at random instants, and start them again."""
    order = [*victims, "broker"]
    random_.shuffle(order)
    for victim in order:
        time.sleep(random_.uniform(*_PAUSES_S))
        if victim == "broker":
            broker.kill()
            time.sleep(random_.uniform(0.0, 1.0))
            broker.start()
        else:
            crew.kill(victim)
            crew.start(victim)


def audit_round(clip: Path, folder: Path, broker: Broker, number: int) -> tuple[list[str], list[str]]:
    """One audit of `clip` under fire; the records in the database, and the lines of the matcher's file."""
    data, lines = folder / "data", folder / "sightings.jsonl"
    folder.mkdir(parents=True)
    settings = environment(data, broker.servers, f"audit{number}.")
    expected = number_of_tracks(folder.parent / "expected")
    with Crew(settings, folder) as crew:
        crew.run("topics", "create", "--job", JOB)
        for name in ("embed1", "embed2"):
            crew.start(name, "worker", "embed", "--job", JOB)
        crew.start("match", "worker", "match", "--job", JOB, "--sightings", lines)
        crew.start("read", "worker", "read", clip, "--job", JOB)
        kill_everything(crew, broker, ["read", "embed1", "embed2", "match"], random.Random(number))
        wait_until(lambda: crew.ended("read"), _AUDIT_PATIENCE_S, "the reader reads on after a kill")
        wait_until(lambda: len(canonical(data)) >= expected, _AUDIT_PATIENCE_S, "all tracks are decided")
        for name in ("embed1", "embed2", "match"):
            crew.stop(name)
    return canonical(data), sorted(lines.read_text(encoding="utf-8").splitlines())


def unproved(data: Path) -> list[str]:
    """What is wrong with the ledger of a data folder; decisions that are kept and not in it as well."""
    folder = LedgerFolder(data / FOLDER)
    written: set[str] = set()

    def note(chain: str, frame: Frame, entry: Entry) -> None:
        if entry.kind == Kind.DECISION:
            written.add(entry.fields["decision_id"])

    report = verify(folder, Verifier.read(folder.public_key), watcher=note)
    kept = {json.loads(record)["decision_id"] for record in canonical(data)}
    return [str(problem) for problem in report.problems] + [
        f"{each}: not recorded" for each in kept - written
    ]


def differences(found: Sequence[str], expected: Sequence[str]) -> list[str]:
    """What is missing and what is too much, a line each; a comparison of whole records is beyond reading."""
    lost, added = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    lines = [f"missing: {record}" for record in lost] + [f"too much: {record}" for record in added]
    if len(found) != len(expected):
        lines.append(f"{len(found)} instead of {len(expected)}")
    return lines


def decided(data: Path, camera: str) -> list[dict[str, Any]]:
    """The records of all ended tracks of a camera."""
    return [record for record in map(json.loads, canonical(data)) if record["camera_id"] == camera]


def _warm_up(outbox: Outbox, data: Path) -> None:
    """Until the workers keep pace: programs take seconds to load."""
    for number in range(60):
        sender = _Sender(outbox, f"warm{number}", 1)
        sender.run()
        if (data / "pinwatch.db").exists() and any(
            record["crops"] == _CROPS_A_TRACK for record in map(json.loads, canonical(data))
        ):
            return
    raise AssertionError("the workers never kept pace")


class _Sender(threading.Thread):
    """Plays a reader: tracks that begin one after the other, crops of noise, captured now."""

    def __init__(self, outbox: Outbox, camera: str, tracks: int) -> None:
        super().__init__(daemon=True)
        self._outbox, self._camera, self._tracks = outbox, camera, tracks
        self._pixels = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)

    def run(self) -> None:
        began_ns = time.time_ns()
        for beat in range(self._tracks + _CROPS_A_TRACK):
            for track in range(self._tracks):
                if 0 <= beat - track < _CROPS_A_TRACK:
                    self._outbox.send([self._crop(track, beat - track, began_ns)])
                elif beat - track == _CROPS_A_TRACK:
                    self._outbox.send([self._end(track, began_ns)])
            time.sleep(_BEAT_S)
        self._outbox.send([self._end(self._tracks - 1, began_ns)])

    def _crop(self, track: int, sequence: int, began_ns: int) -> FaceCrop:
        now_ns = time.time_ns()
        return FaceCrop(
            key=TrackKey(self._camera, 1, track),
            sequence=sequence,
            pts_ns=now_ns - began_ns,
            captured_at_ns=now_ns,
            bbox=np.array([10, 20, 60, 90], np.float32),
            score=0.9,
            quality=0.5,
            detector_id="detector@11111111",
            image_rgb=self._pixels,
        )

    def _end(self, track: int, began_ns: int) -> TrackEnded:
        return TrackEnded(
            key=TrackKey(self._camera, 1, track),
            first_seen_ns=0,
            last_seen_ns=time.time_ns() - began_ns,
            started_at_ns=began_ns,
            frames=_CROPS_A_TRACK,
            crops_sent=_CROPS_A_TRACK,
            dropped_by_cause={},
            detector_id="detector@11111111",
        )


def number_of_tracks(expected: Path) -> int:
    return len(canonical(expected))


def expect(clip: Path, folder: Path) -> tuple[list[str], list[str]]:
    """The same of `pinwatch watch`, in one process without a broker."""
    data, lines = folder / "expected", folder / "expected.jsonl"
    with Crew(environment(data, "nowhere:1", ""), folder) as crew:
        crew.run("watch", clip, "--run-id", JOB, "--sightings", lines)
    return canonical(data), sorted(lines.read_text(encoding="utf-8").splitlines())


def live_round(folder: Path, broker: Broker, number: int, tracks: int = TRACKS) -> Mapping[str, int]:
    """Live crops under fire; how many tracks, crops and drops there were.

    Raises:
        AssertionError: a track was not decided, or not every crop of one is accounted for.
    """
    data = folder / "data"
    folder.mkdir(parents=True)
    settings = environment(data, broker.servers, f"live{number}.", PINWATCH_WORKER__MAX_AGE_S="8")
    options = KafkaOptions(servers=broker.servers, prefix=f"live{number}.", partitions=4)
    random_ = random.Random(number)
    with Crew(settings, folder) as crew:
        crew.run("topics", "create")
        for name in ("embed1", "embed2"):
            crew.start(name, "worker", "embed")
        crew.start("match", "worker", "match")
        outbox = Outbox(KafkaBus(options, Lane(options.prefix)).producer, crops=60)
        _warm_up(outbox, data)
        sender = _Sender(outbox, CAMERA, tracks)
        sender.start()
        kill_everything(crew, broker, ["embed1", "embed2", "match"], random_)
        sender.join()
        assert outbox.close(_LIVE_PATIENCE_S) == 0
        wait_until(lambda: len(decided(data, CAMERA)) >= tracks, _LIVE_PATIENCE_S, "all tracks are decided")
        for name in ("embed1", "embed2", "match"):
            crew.stop(name)
    records = decided(data, CAMERA)
    assert len(records) == tracks
    for record in records:
        accounted = record["crops"] + sum(record["dropped_by_cause"].values())
        assert accounted == record["frames"] == _CROPS_A_TRACK, record
    causes: dict[str, int] = {"tracks": len(records), "crops": sum(record["crops"] for record in records)}
    for record in records:
        for cause, count in record["dropped_by_cause"].items():
            causes[cause] = causes.get(cause, 0) + count
    return causes


def main(arguments: list[str] | None = None) -> int:
    """Some rounds of both; prints a line a round, and fails with the first that is not right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="number of the first round: it seeds the kills")
    given = parser.parse_args(arguments)
    assets = Path(os.environ["PINWATCH_ASSETS"])
    clip = assets / "clips" / "crowd.mp4"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        expected = expect(clip, folder)
        broker = Broker(folder / "broker")
        broker.start()
        try:
            for number in range(given.first, given.first + given.rounds):
                begun = time.monotonic()
                records, lines = audit_round(clip, folder / f"audit{number}", broker, number)
                wrong = differences(records, expected[0]) + differences(lines, expected[1])
                live = live_round(folder / f"live{number}", broker, number)
                wrong += unproved(folder / f"audit{number}" / "data")
                wrong += unproved(folder / f"live{number}" / "data")
                audit = "DIFFERS" if wrong else f"{len(records)} tracks, the same bytes, in the ledger"
                counts = ", ".join(f"{count} {name}" for name, count in live.items())
                sys.stdout.write(
                    f"round {number}: audit {audit}; live {counts}; {time.monotonic() - begun:.0f} s\n"
                )
                sys.stdout.flush()
                if wrong:
                    sys.stdout.write("".join(f"  {line[:400]}\n" for line in wrong))
                    return 1
        finally:
            broker.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
