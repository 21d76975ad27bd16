"""Puts the gauge's pages together, and its figures where Prometheus finds them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from gallery.vision import Vision
from workers.canary.metrics import GaugeCollector
from workers.console.access.record import RecordAccess, Who
from workers.console.gauge.service import Gauge

if TYPE_CHECKING:
    from workers.console.options import ConsoleParts

_SELF = Who(None, None, "this machine", "the robustness gauge")


def gauge_of(parts: ConsoleParts) -> Gauge:
    """The gauge over a console's parts; its collector goes into their registry."""

    def vision() -> Vision:
        return parts.make_enroller().vision

    gauge = Gauge(parts.database, parts.gauge, vision, parts.record, parts.clock)
    parts.registry.register(GaugeCollector(gauge.runs, gauge.alarms, gauge.watchdog, parts.clock))
    return gauge


def recording_deletions(record: RecordAccess) -> Callable[[Collection[str]], None]:
    """Records which canaries were deleted since their consent was over."""

    def deleted(canary_ids: Collection[str]) -> None:
        record(_SELF, "canaries deleted: their consent is over", canary_ids)

    return deleted
