"""What Prometheus is told of health; asked for whenever it comes by."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipeline.errors import PinwatchError
from workers.console.health.service import Health
from workers.console.health.status import PipelineStatus


class HealthCollector(Collector):
    """Numbers of :class:`Health` and of a pipeline.

    Args:
        health: Knows disk and ledger.
        pipeline: Knows cameras and steps.
    """

    def __init__(self, health: Health, pipeline: PipelineStatus) -> None:
        self._health, self._pipeline = health, pipeline

    @classmethod
    def register(cls, registry: CollectorRegistry, health: Health, pipeline: PipelineStatus) -> None:
        """Put one in."""
        registry.register(cls(health, pipeline))

    def describe(self) -> list[Metric]:
        """Nothing: so that registering it looks at nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """As things are now."""
        yield from self._of_pipeline()
        yield from self._of_disk()
        ledger = self._health.ledger()
        if ledger is not None:
            yield _one("pinwatch_ledger_records", "Records in the ledger.", ledger.records)
            uncovered = ledger.since_checkpoint
            yield _one("pinwatch_ledger_uncovered_records", "Records that no checkpoint covers.", uncovered)

    def _of_disk(self) -> Iterator[Metric]:
        try:
            machine = self._health.machine()
        except (OSError, PinwatchError):
            return
        yield _one("pinwatch_disk_free_bytes", "Left where the data folder lies.", machine.disk_free_bytes)

    def _of_pipeline(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("pinwatch_camera_up", "Whether the camera shows pictures.", labels=["camera"])
        rate = GaugeMetricFamily("pinwatch_camera_rate_hz", "Frames a second lately.", labels=["camera"])
        left = GaugeMetricFamily(
            "pinwatch_camera_dropped", "Left out since it was opened.", labels=["camera", "cause"]
        )
        for status in self._pipeline.cameras():
            up.add_metric([status.camera_id], float(status.state == "live"))
            if status.rate_hz is not None:
                rate.add_metric([status.camera_id], status.rate_hz)
            for cause, count in status.dropped_by_cause.items():
                left.add_metric([status.camera_id, cause], count)
        waiting = GaugeMetricFamily("pinwatch_step_waiting", "Messages that wait.", labels=["step"])
        restarts = GaugeMetricFamily("pinwatch_step_restarts", "Times it began again.", labels=["step"])
        for step in self._pipeline.steps():
            restarts.add_metric([step.name], step.restarts)
            if step.waiting is not None:
                waiting.add_metric([step.name], step.waiting)
        yield from (up, rate, left, waiting, restarts)
        ages = self._pipeline.ages()
        if ages is not None:
            age = GaugeMetricFamily("pinwatch_decision_age_seconds", "Age at decision.", labels=["quantile"])
            for quantile, value in (("0.5", ages.p50_s), ("0.95", ages.p95_s), ("0.99", ages.p99_s)):
                age.add_metric([quantile], value)
            yield age


def _one(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
