"""What Prometheus is told of alerts."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from workers.alerts.deliveries.receiver_store import ReceiverStore
from workers.alerts.reading import AlertStore


class AlertCollector(Collector):
    """Asks the database whenever Prometheus asks.

    Args:
        alerts: Which wait for somebody.
        receivers: Who is told elsewhere, and how that goes.
    """

    def __init__(self, alerts: AlertStore, receivers: ReceiverStore) -> None:
        self._alerts, self._receivers = alerts, receivers

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked when it is put in."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Open alerts, and by delivery what waits, was given up, and failed in a row."""
        yield GaugeMetricFamily(
            "pinwatch_alerts_open", "Alerts that wait for somebody.", self._alerts.open_count(None)
        )
        waiting, given_up, failures = (
            GaugeMetricFamily(f"pinwatch_alert_deliveries_{name}", text, labels=["delivery"])
            for name, text in (
                ("waiting", "Messages about alerts that wait to be sent."),
                ("given_up", "Messages about alerts that were given up in the last seven days."),
                ("failures", "Attempts that failed since the last that did not."),
            )
        )
        for state in self._receivers.states():
            waiting.add_metric([state.receiver.name], state.waiting)
            given_up.add_metric([state.receiver.name], state.given_up)
            failures.add_metric([state.receiver.name], state.failures)
        yield from (waiting, given_up, failures)
