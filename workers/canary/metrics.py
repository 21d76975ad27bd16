"""What Prometheus is told of the gauge, read from the database when it asks: whoever measured."""

from __future__ import annotations

from collections.abc import Iterator

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gallery.times import parse_time
from pipeline.errors import PinwatchError
from pipeline.redact import redact
from pipeline.seams import Clock
from workers.canary.alarm import AlarmKind, AlarmStore
from workers.canary.numbers import Numbers
from workers.canary.records import RunState
from workers.canary.runs import RunStore
from workers.canary.watchdog import Watchdog

log = structlog.get_logger(__name__)


class GaugeCollector(Collector):
    """Numbers, runs, alarms and age of the robustness gauge.

    Args:
        runs: What was measured.
        alarms: What is given.
        watchdog: Makes the numbers.
        clock: Time.
    """

    def __init__(self, runs: RunStore, alarms: AlarmStore, watchdog: Watchdog, clock: Clock) -> None:
        self._runs, self._alarms, self._watchdog, self._clock = runs, alarms, watchdog, clock
        self._made: tuple[str, Numbers | None] | None = None

    def describe(self) -> list[Metric]:
        """Nothing: the database is not asked before Prometheus asks."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All of it; where the database does not answer, nothing, so that the others' figures still come."""
        try:
            yield from self._collect()
        except PinwatchError as error:
            log.error("no figures of the robustness gauge", error=redact(str(error)))

    def _collect(self) -> list[Metric]:
        return [self._accuracy(), self._runs_total(), self._alarm(), self._age()]

    def _accuracy(self) -> Metric:
        text = "Share of canaries' probes decided rightly, by attack, goal, and whether behind the purifier."
        labels = ["attack", "threat_model", "eps_255", "goal", "purified"]
        family = GaugeMetricFamily("pinwatch_canary_accuracy", text, labels=labels)
        numbers = self._numbers()
        for line in [] if numbers is None else numbers.lines:
            what = line.condition
            values = [what.attack, what.threat_model.value, f"{what.eps_255:g}", what.goal]
            family.add_metric([*values, str(what.purified).lower()], line.correct.value)
        return family

    def _numbers(self) -> Numbers | None:
        """Made once for every run: Prometheus asks more often than there are new ones."""
        last = self._runs.last(RunState.DONE)
        if last is None:
            return None
        if self._made is None or self._made[0] != last.id:
            self._made = (last.id, self._watchdog.now().numbers)
        return self._made[1]

    def _runs_total(self) -> Metric:
        family = CounterMetricFamily("pinwatch_canary_runs", "Runs that ended.", labels=["state"])
        for state, count in self._runs.counts().items():
            if state is not RunState.RUNNING:
                family.add_metric([state.value], count)
        return family

    def _alarm(self) -> Metric:
        family = GaugeMetricFamily("pinwatch_canary_alarm", "1 while an alarm is given.", labels=["kind"])
        given = {alarm.kind for alarm in self._alarms.given()}
        for kind in AlarmKind:
            family.add_metric([kind.value], float(kind in given))
        return family

    def _age(self) -> Metric:
        text = "Since the last run that was done."
        family = GaugeMetricFamily("pinwatch_canary_age_seconds", text)
        last = self._runs.last(RunState.DONE)
        if last is not None and last.ended_at is not None:
            family.add_metric([], self._clock.now_ns() / 1e9 - parse_time(last.ended_at).timestamp())
        return family
