"""Makes a lane's topics with their settings, and says where a cluster differs from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from kafka import KafkaAdminClient, errors
from kafka.admin import ConfigResource, ConfigResourceType

from workers.bus.base import BusError, Topic
from workers.bus.kafka.failing import connected, reaching
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.options import KafkaOptions

_DAY_S = 24 * 3600
_FOR_GOOD = -1
# Kafka deletes whole segments, and never the one that is being written.
_SEGMENTS_A_RETENTION = 6


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """What a topic is to be like.

    Attributes:
        name: On the cluster.
        partitions: How many, for good.
        replication: Copies of each.
        settings: Kafka's own names and values.
    """

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]


def plans(options: KafkaOptions, lane: Lane) -> list[TopicPlan]:
    """Every topic of the lane.

    What lies on the live lane holds faces, and goes after :attr:`KafkaOptions.retention_s`; that of an audit
    job stays until the job's topics are removed. Refused messages may hold faces as well: a day is enough to
    look at them. Sightings hold none.
    """
    live_s = {
        Topic.FACES: options.retention_s,
        Topic.EMBEDDINGS: options.retention_s,
        Topic.SIGHTINGS: 7 * _DAY_S,
        Topic.DEAD_LETTERS: _DAY_S,
    }
    return [
        TopicPlan(
            lane.topic(topic),
            options.partitions,
            options.replication,
            _settings(options, live_s[topic] if lane.live else _FOR_GOOD),
        )
        for topic in Topic
    ]


def _settings(options: KafkaOptions, retention_s: int) -> dict[str, str]:
    settings = {
        "cleanup.policy": "delete",
        "compression.type": "producer",
        "max.message.bytes": str(options.max_message_bytes),
        "min.insync.replicas": str(max(1, options.replication - 1)),
        "retention.ms": str(_FOR_GOOD if retention_s == _FOR_GOOD else retention_s * 1000),
    }
    if retention_s != _FOR_GOOD:
        settings["segment.ms"] = str(retention_s * 1000 // _SEGMENTS_A_RETENTION)
    return settings


class TopicAdmin:
    """Talks to the cluster's controller.

    Args:
        options: The broker.

    Raises:
        BusError: nobody answers, or not to us.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options
        self._client = connected(KafkaAdminClient, options)

    def __enter__(self) -> TopicAdmin:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def create(self, lane: Lane) -> list[str]:
        """Make those that are missing; their names.

        Raises:
            BusError: the cluster refuses, for instance because it has fewer brokers than copies are wanted.
        """
        missing = self._missing(lane)
        if missing:
            wanted = {
                plan.name: {
                    "num_partitions": plan.partitions,
                    "replication_factor": plan.replication,
                    "configs": dict(plan.settings),
                }
                for plan in missing
            }
            with reaching(self._options.servers):
                try:
                    self._client.create_topics(wanted, wait_for_metadata=True)
                except errors.InvalidReplicationFactorError as error:
                    raise BusError(
                        f"the cluster at {self._options.servers} has too few brokers for "
                        f"{self._options.replication} copies of every partition: set kafka.replication"
                    ) from error
        return [plan.name for plan in missing]

    def remove(self, lane: Lane) -> list[str]:
        """Remove those that are there, with all that lies on them; their names."""
        found = self._found(lane)
        with reaching(self._options.servers):
            if found:
                self._client.delete_topics(sorted(found))
        return sorted(found)

    def check(self, lane: Lane) -> list[str]:
        """What is not as it should be, one sentence each, with the way out."""
        found = self._found(lane)
        settings = self._settings_of(found)
        planned = plans(self._options, lane)
        problems = _absences([plan.name for plan in planned if plan.name not in found], lane)
        for plan in planned:
            if plan.name in found:
                problems += _differences(plan, found[plan.name]["partitions"], settings[plan.name])
        return problems

    def require(self, lane: Lane) -> None:
        """Refuse to work on topics that are not as they should be.

        Raises:
            BusError: with everything that is not as it should be.
        """
        problems = self.check(lane)
        if problems:
            raise BusError("; ".join(problems))

    def _missing(self, lane: Lane) -> list[TopicPlan]:
        found = self._found(lane)
        return [plan for plan in plans(self._options, lane) if plan.name not in found]

    def _found(self, lane: Lane) -> dict[str, Any]:
        names = {plan.name for plan in plans(self._options, lane)}
        with reaching(self._options.servers):
            there = names & set(self._client.list_topics())
            described = self._client.describe_topics(sorted(there)) if there else []
        return {topic["name"]: topic for topic in described}

    def _settings_of(self, names: Iterable[str]) -> dict[str, Any]:
        """Every setting of each topic, by its name."""
        wanted = [ConfigResource(ConfigResourceType.TOPIC, name, configs=None) for name in names]
        if not wanted:
            return {}
        with reaching(self._options.servers):
            settings: dict[str, Any] = self._client.describe_configs(wanted, config_filter="all")["topic"]
        return settings


def _absences(names: Sequence[str], lane: Lane) -> list[str]:
    if not names:
        return []
    command = "pinwatch topics create" + (f" --job {lane.job}" if lane.job else "")
    topics = "the topic" if len(names) == 1 else "the topics"
    verb = "is" if len(names) == 1 else "are"
    return [f"{topics} {', '.join(names)} {verb} missing: make what is missing with `{command}`"]


def _differences(
    plan: TopicPlan, partitions: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> list[str]:
    problems = []
    if len(partitions) != plan.partitions:
        problems.append(
            f"the topic {plan.name} has {len(partitions)} partitions and kafka.partitions says "
            f"{plan.partitions}: set it to {len(partitions)}, or stop everything and make the topic anew"
        )
    copies = {len(each["replica_nodes"]) for each in partitions}
    if copies != {plan.replication}:
        problems.append(
            f"the topic {plan.name} has {min(copies)} copies of each partition and kafka.replication "
            f"says {plan.replication}"
        )
    problems += [
        f"the topic {plan.name} has {name}={settings[name]['value']} instead of {wanted}"
        for name, wanted in plan.settings.items()
        if settings[name]["value"] != wanted
    ]
    return problems
