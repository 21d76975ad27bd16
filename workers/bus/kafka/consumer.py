"""Reads a lane's topics as one member of a group."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import structlog
from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition, errors
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

from workers.bus.base import Partition, Received, Topic
from workers.bus.kafka.failing import connected, reaching
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.messages import received
from workers.bus.kafka.options import KafkaOptions

log = structlog.get_logger(__name__)

_BEATS_A_SESSION = 4
_COMMIT_S = 0.1
"""A commit is a write of the broker's own: one for every few crops costs it more than the crops."""
_COMMIT_PATIENCE_MS = 5_000
_LATER = (
    errors.CommitFailedError,
    errors.RetriableError,
    errors.IllegalGenerationError,
    errors.RebalanceInProgressError,
    errors.UnknownMemberIdError,
    errors.KafkaTimeoutError,
)


def consumer_client(options: KafkaOptions, group: str | None, **more: Any) -> Any:
    """A client that reads from the oldest message on, and commits only what it is told to.

    Raises:
        BusError: nobody answers, or not to us.
    """
    return connected(
        KafkaConsumer,
        options,
        allow_auto_create_topics=False,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=options.max_message_bytes,
        **more,
    )


class LaneConsumer:
    """Polls only when there is room for more, so that nothing is under way when partitions move.

    Args:
        options: The broker.
        lane: Whose topics.
        group: The step, see :meth:`Lane.group`.
        topics: What to read.
        idle_s: After so long without a message :attr:`exhausted` is true; ``None`` for never.

    Raises:
        BusError: nobody answers, or not to us.
    """

    def __init__(
        self,
        options: KafkaOptions,
        lane: Lane,
        group: str,
        topics: Iterable[Topic],
        idle_s: float | None = None,
    ) -> None:
        self._lane, self._topics = lane, {lane.topic(topic): topic for topic in topics}
        self._servers, self._wait_s, self._idle_s = options.servers, options.max_wait_ms / 1000, idle_s
        self._lost: set[Partition] = set()
        self._early: list[Received] = []
        self._closed = False
        self._heard_at_s = self._committed_at_s = time.monotonic()
        self._done: dict[Partition, int] = {}
        self._client = consumer_client(
            options,
            lane.group(group),
            partition_assignment_strategy=[CooperativeStickyAssignor],
            session_timeout_ms=options.session_timeout_ms,
            heartbeat_interval_ms=options.session_timeout_ms // _BEATS_A_SESSION,
            fetch_max_wait_ms=100,
        )
        with reaching(options.servers):
            # The group's leader shares out what it knows of: without this it may know of no partitions yet,
            # and share them out minutes later.
            for name in self._topics:
                self._client.partitions_for_topic(name)
            self._client.subscribe(list(self._topics), listener=_Moves(self._on_lost))

    def poll(self, max_messages: int, timeout_s: float) -> Sequence[Received]:
        """See :class:`~workers.bus.base.Consumer`; waits for a batch to fill where the options say so."""
        self._commit_when_due()
        batch, self._early = self._early, []
        deadline = time.monotonic() + timeout_s
        while len(batch) < max_messages:
            left_s = max(0.0, deadline - time.monotonic())
            found = self._fetch(max_messages - len(batch), left_s)
            if found and not batch:
                deadline = time.monotonic() + self._wait_s
            batch += found
            if time.monotonic() >= deadline:
                break
        if batch:
            self._heard_at_s = time.monotonic()
        return batch

    def _fetch(self, count: int, timeout_s: float) -> list[Received]:
        with reaching(self._servers):
            records = self._client.poll(timeout_ms=int(timeout_s * 1000), max_records=count)
            rejoin_if_stranded(self._client)
        return [received(self._topics[r.topic], r) for of_one in records.values() for r in of_one]

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """See :class:`~workers.bus.base.Consumer`; the broker is told ten times a second, and on closing.

        What it was not told when this process dies, or the partition moves, is done again.
        """
        self._done |= {each: offset for each, offset in offsets.items() if each not in self._lost}
        self._commit_when_due()

    def _commit_when_due(self) -> None:
        if self._done and time.monotonic() - self._committed_at_s >= _COMMIT_S:
            self._commit()

    def _commit(self) -> None:
        """What cannot be committed now is with the next commit."""
        wanted = {
            TopicPartition(self._lane.topic(partition.topic), partition.number): OffsetAndMetadata(
                offset, "", -1
            )
            for partition, offset in self._done.items()
        }
        self._committed_at_s = time.monotonic()
        try:
            self._client.commit(wanted, timeout_ms=_COMMIT_PATIENCE_MS)
            self._done = {}
        except _LATER as error:
            log.warning("offsets not committed; some messages may come again", error=str(error))

    def lost(self) -> Collection[Partition]:
        """See :class:`~workers.bus.base.Consumer`."""
        lost, self._lost = self._lost, set()
        return lost

    def keep_alive(self) -> None:
        """Poll with everything paused; what comes all the same (partitions newly ours) waits for its turn."""
        paused = self._client.assignment()
        self._client.pause(*paused)
        self._early += self._fetch(1, 0.0)
        self._client.resume(*(paused & self._client.assignment()))

    def close(self) -> None:
        """See :class:`~workers.bus.base.Consumer`."""
        if self._done and not self._closed:
            self._commit()
        self._closed = True
        self._client.close(autocommit=False)

    @property
    def exhausted(self) -> bool:
        """Whether nothing came for as long as was agreed."""
        return self._idle_s is not None and time.monotonic() - self._heard_at_s > self._idle_s

    def _on_lost(self, partitions: Iterable[TopicPartition]) -> None:
        gone = {Partition(self._topics[each.topic], each.partition) for each in partitions}
        self._lost |= gone
        self._done = {each: offset for each, offset in self._done.items() if each not in gone}
        self._early = [item for item in self._early if item.partition not in gone]


def rejoin_if_stranded(client: Any) -> None:
    """Have a client finish joining its group that would never do so by itself.

    kafka-python 3.0.12 joins again when its picture of the topics has changed. If a poll ends meanwhile, the
    join goes on in the background and makes that picture the current one, so that the next poll sees no
    reason to join and never takes the result. The client then fetches on, but cannot commit and sends no
    heartbeats, and after the session the group gives its partitions to others, who read the same messages.
    """
    coordinator = client._coordinator
    if coordinator.rebalance_in_progress() and not coordinator.need_rejoin():
        log.warning("finishing a rebalance that the client left unfinished")
        coordinator.request_rejoin()


class _Moves(ConsumerRebalanceListener):  # type: ignore[misc]
    """Called within a poll."""

    def __init__(self, on_lost: Any) -> None:
        self._on_lost = on_lost

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._on_lost(revoked)

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self._on_lost(lost)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        return None
