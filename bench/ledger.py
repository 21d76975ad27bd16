"""What the audit ledger costs: writing to it, its size, and verifying it.

    python -m bench.ledger [--records N] [--folder FOLDER]

Prints the size of a decision that was made on ten crops, in its record and sealed; records a second that are
appended durably, one by one and 64 at a time; records a second that are verified, of sealed decisions and of
small records; checkpoints a second that are verified; and the memory that verifying took. Put --folder on
the disk that is to be measured.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audit.decisions import Evidence, Journal
from audit.ledger.checkpoints import add_checkpoint, read_checkpoints
from audit.ledger.entries import Kind, decode_entry
from audit.ledger.folder import LedgerFolder
from audit.ledger.frames import Head, beginning, read_frames
from audit.ledger.keys import KeyRing
from audit.ledger.signing import Signer, Verifier
from audit.ledger.verify import verify
from audit.ledger.writer import Ledger
from bench.errors import in_one_line
from pipeline.clock import SystemClock
from pipeline.types import (
    EmbeddedFace,
    Embedding,
    Match,
    Outcome,
    Revision,
    Sighting,
    TemplateKey,
    Thresholds,
    TrackKey,
)

DIM, CROPS, BATCH, SINGLE, CHECKPOINTS = 512, 10, 64, 300, 2000
SEALED_BYTES = 4096
KEY = TemplateKey("adaface_ir101", "pin_dct", "arcface-112-v1")
Record = tuple[Kind, Mapping[str, Any]]


def face(track: TrackKey, sequence: int, rng: np.random.Generator) -> EmbeddedFace:
    values = rng.normal(size=DIM)
    vector = (values / np.linalg.norm(values)).astype(np.float32)
    embedding = Embedding(vector, KEY, 0.125, 0.75)
    bbox = np.array([10, 20, 110, 140], np.float32)
    return EmbeddedFace(track, sequence, 10**9 + sequence, 10**18 + sequence, bbox, 0.75, "yunet", embedding)


def decision(track_id: int) -> tuple[Sighting, Evidence]:
    """Somebody named on ten crops, with five neighbours."""
    track = TrackKey("gate", 0, track_id)
    rng = np.random.default_rng(track_id)
    sighting = Sighting(
        decision_id=f"{track_id:032x}",
        run_id="20240501-120000-5f3a",
        revision=Revision.END,
        revision_number=1,
        camera_id=track.camera_id,
        stream_epoch=track.stream_epoch,
        track_id=track_id,
        outcome=Outcome.KNOWN,
        subject_id="s12",
        candidate_id="s12",
        similarity=0.71,
        runner_up=0.2,
        margin=0.51,
        threshold=0.4,
        threshold_origin="card",
        votes=1.0,
        first_seen_s=12.5,
        last_seen_s=15.25,
        first_seen_at="2024-05-01T12:00:12.500Z",
        last_seen_at="2024-05-01T12:00:15.250Z",
        frames=70,
        crops=CROPS,
        dropped_by_cause={"quality": 3},
        attack_evidence=0.25,
        detector="yunet",
        embedder=KEY.model_id,
        purifier=KEY.purifier_id,
        align_version=KEY.align_version,
        gallery_epoch=17,
        reason="similarity 0.71 is above the threshold 0.40, and leads the next subject by 0.51",
    )
    faces = [face(track, sequence, rng) for sequence in range(CROPS)]
    neighbours = [Match(f"s{number}", 0.7 - number / 10) for number in range(5)]
    return sighting, Evidence(faces, neighbours, Thresholds(0.4, 0.05))


def small(number: int) -> Record:
    """Such as the digests of a crop."""
    return Kind.CROPS, {
        "run_id": "20240501-120000-5f3a",
        "scope": f"gate:0:{number}",
        "digests": [[1, bytes(32)]],
    }


def sealed(number: int) -> Record:
    """A decision on two crops."""
    return Kind.DECISION, {
        "decision_id": f"{number:032x}",
        "scope": "gate:0:1",
        "sealed": os.urandom(SEALED_BYTES),
    }


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def repeat(times: int, work: Callable[[], None]) -> None:
    for _ in range(times):
        work()


def print_size(root: Path) -> None:
    """What a decision takes in the ledger."""
    clock, folder = SystemClock(), LedgerFolder(root)
    keys = KeyRing(root / "keys.db")
    with Ledger(folder, "bench", clock) as ledger:
        decided = [decision(track) for track in range(BATCH)]
        took = seconds(lambda: Journal(ledger, keys, "f" * 16, clock).write(decided))
    keys.close()
    (writer,) = folder.writers()
    frames = read_frames(folder.chain(writer), beginning(writer))
    bodies = [frame.body for frame in frames if decode_entry(frame).kind == Kind.DECISION]
    print(f"a decision on {CROPS} crops: {sum(map(len, bodies)) / len(bodies):,.0f} bytes in the ledger")
    print(f"decisions sealed and recorded, {BATCH} at a time: {len(decided) / took:,.0f} a second")


def fill(root: Path, make: Callable[[int], Record], count: int, what: str) -> LedgerFolder:
    """A ledger of such records; prints how quickly they were appended."""
    folder = LedgerFolder(root)
    records: Sequence[Record] = [make(number) for number in range(BATCH)]
    batches = count // BATCH
    with Ledger(folder, "bench", SystemClock()) as ledger:
        one_by_one = seconds(lambda: repeat(SINGLE, lambda: ledger.append(*records[0])))
        together = seconds(lambda: repeat(batches, lambda: ledger.extend(records)))
    print(f"{what} appended one by one: {SINGLE / one_by_one:,.0f} a second; ", end="")
    print(f"{BATCH} at a time: {batches * BATCH / together:,.0f} a second")
    return folder


def print_verified(folder: LedgerFolder, what: str) -> None:
    verifier = Verifier.read(folder.public_key)
    start = time.perf_counter()
    report = verify(folder, verifier)
    took = time.perf_counter() - start
    assert report.holds, report.problems
    size = sum(folder.chain(writer).stat().st_size for writer in folder.writers())
    print(f"{what} verified: {report.records / took:,.0f} a second ({size / took / 2**20:,.0f} MiB/s)")


def print_checkpoints(root: Path) -> None:
    folder = LedgerFolder(root)
    folder.create()
    signer = Signer.of(folder)
    head = {"00000000000000000001-bench-1-00000000": Head(1, bytes(32))}
    signed = seconds(lambda: [add_checkpoint(folder, signer, head, 1) for _ in range(CHECKPOINTS)])
    verifier = Verifier.read(folder.public_key)
    verified = seconds(lambda: sum(1 for _ in read_checkpoints(folder, verifier)))
    print(f"checkpoints signed: {CHECKPOINTS / signed:,.0f} a second; ", end="")
    print(f"verified: {CHECKPOINTS / verified:,.0f} a second")


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=100_000, help="of each sort that are verified")
    parser.add_argument("--folder", type=Path, help="in which to write, and which is left empty")
    return parser.parse_args()


@in_one_line
def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        root = Path(folder)
        print_size(root / "decisions")
        for make, what in ((sealed, f"decisions of {SEALED_BYTES} bytes"), (small, "small records")):
            filled = fill(root / what, make, options.records, what)
            before = peak_mib()
            print_verified(filled, what)
            print(f"memory that verifying added: {peak_mib() - before:,.0f} MiB")
        print_checkpoints(root / "checkpoints")


if __name__ == "__main__":
    main()
