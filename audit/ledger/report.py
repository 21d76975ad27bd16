"""What a verification found."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was written.

    Attributes:
        chain: In which chain, or ``checkpoints``.
        record: Number of the first bad record in it, from 0; ``None`` where no record is meant.
        what: In words.
    """

    chain: str
    record: int | None
    what: str

    def __str__(self) -> str:
        where = self.chain if self.record is None else f"{self.chain}, record {self.record}"
        return f"{where}: {self.what}"


@dataclass(slots=True)
class Report:
    """What a verification found.

    Attributes:
        problems: Empty if the ledger holds.
        notes: What is no fault and should be known, such as records that no checkpoint covers yet.
        chains: How many there are.
        records: In them, as far as they hold.
        checkpoints: How many there are, as far as they hold.
    """

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    chains: int = 0
    records: int = 0
    checkpoints: int = 0

    @property
    def holds(self) -> bool:
        return not self.problems


def up_to(first: int, last: int) -> str:
    """Says of record `first` whether it alone is gone."""
    return "is gone" if first >= last else f"is gone, and so is every one up to {last}"
