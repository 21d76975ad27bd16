"""The last step on a broker: decide, keep what was decided, and tell others of what is kept."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from pipeline.types import Sighting
from workers.bus.base import Partition, Topic
from workers.loop import Arrived, Outgoing, Refused
from workers.steps import MatchStep, SightingSink


class Keeper(Protocol):
    """Where the first durable write of a decision wins."""

    def keep(self, decided: Sequence[Sighting]) -> list[Sighting]:
        """See :meth:`audit.sightings.SightingStore.keep`."""
        ...


class KeptMatchStep:
    """embeddings -> sightings: a :class:`MatchStep` whose decisions are durable before anybody hears of them.

    In one process they go over the bus first and are kept behind it. Between processes that would leave a
    moment in which a decision was announced and not kept.

    Args:
        match: Decides.
        keeper: Keeps.
        sinks: Written to afterwards, with what is kept.
        ledger: Written to before, with what was decided: what is kept and announced is in the ledger.
    """

    def __init__(
        self,
        match: MatchStep,
        keeper: Keeper,
        sinks: Sequence[SightingSink],
        ledger: SightingSink | None = None,
    ) -> None:
        self._match, self._keeper, self._sinks, self._ledger = match, keeper, sinks, ledger
        self.name, self.inputs, self.batch_size = match.name, match.inputs, match.batch_size

    def process(self, batch: Sequence[Arrived]) -> Iterator[Outgoing | Refused]:
        decided: list[Sighting] = []
        for result in self._match.process(batch):
            if isinstance(result, Outgoing) and isinstance(result.message, Sighting):
                decided.append(result.message)
            else:
                yield result
        if not decided:
            return
        if self._ledger is not None:
            self._ledger.write(decided)
        kept = self._keeper.keep(decided)
        for sink in self._sinks:
            sink.write(kept)
        for sighting in kept:
            yield Outgoing(Topic.SIGHTINGS, sighting)

    def forget(self, partitions: Collection[Partition]) -> None:
        self._match.forget(partitions)

    def committable(self, read: Mapping[Partition, int]) -> Mapping[Partition, int]:
        return self._match.committable(read)
