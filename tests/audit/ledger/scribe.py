"""A process that writes to a ledger, and says what is durable.

python -m tests.audit.ledger.scribe FOLDER NAME (steadily|sessions|full) RECORDS
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from audit.ledger.entries import Kind
from audit.ledger.folder import LedgerFolder
from audit.ledger.writer import Ledger
from pipeline.clock import SystemClock
from pipeline.errors import StorageError

LIMIT_BYTES = 20_000


def say(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def steadily(ledger: Ledger, name: str, records: int) -> None:
    """Records one by one, signed very often."""
    for number in range(records):
        ledger.append(Kind.DECISION, {"id": f"{name}-{number}", "sealed": bytes(number % 300)})
        say(f"{name}-{number}")


def sessions(folder: LedgerFolder, name: str, records: int) -> None:
    """One short session after another, so that it dies as one ends."""
    for number in range(records):
        with Ledger(folder, name, SystemClock(), 0.01) as ledger:
            steadily(ledger, f"{name}-{number}", 2)


def full(ledger: Ledger) -> None:
    """Until the disk is full, and once more when there is room again."""
    ledger.append(Kind.DECISION, {"id": "first"})
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, most))
    written = 0
    try:
        while True:
            ledger.extend([(Kind.DECISION, {"id": f"{written}", "sealed": bytes(700)})] * 3)
            written += 3
    except StorageError as error:
        say(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    ledger.append(Kind.DECISION, {"id": "last"})
    say(written)


def main() -> None:
    folder, name = LedgerFolder(Path(sys.argv[1])), sys.argv[2]
    mode, records = sys.argv[3], int(sys.argv[4])
    say("ready")
    if mode == "sessions":
        sessions(folder, name, records)
        return
    with Ledger(folder, name, SystemClock(), 0.01 if mode == "steadily" else 3600.0) as ledger:
        if mode == "full":
            full(ledger)
        else:
            steadily(ledger, name, records)


if __name__ == "__main__":
    main()
