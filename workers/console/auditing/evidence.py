"""What is kept to prove decisions, as far as the console has to do with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from audit.crops import CropStore
from audit.ledger.folder import LedgerFolder
from audit.ledger.keys import KeyRing
from audit.ledger.writer import Ledger
from audit.recording.holds import Holds
from audit.recording.library import Recordings


@dataclass(frozen=True, slots=True)
class Evidence:
    """Below one data folder.

    Attributes:
        folder: The ledger.
        keys: Open what is sealed in it; asked for when something is to be opened.
        crops: Behind decisions; likewise.
        recordings: Footage.
        holds: What of it must stay.
        ledger: This process's chain; ``None`` where the settings want no ledger.
    """

    folder: LedgerFolder
    keys: Callable[[], KeyRing]
    crops: Callable[[], CropStore]
    recordings: Recordings
    holds: Holds
    ledger: Ledger | None
