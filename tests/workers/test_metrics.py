"""What Prometheus is told, and whether a worker is well."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline.clock import ManualClock
from pipeline.errors import MalformedMessage, UsageError
from pipeline.types import FaceCrop
from tests.workers.test_codec import SIGHTING
from workers.bus.base import Partition, Received, Topic
from workers.codec import encode
from workers.metrics import MetricsServer, WorkerMetrics

NOON_NS = 1_700_000_000_000_000_000


def get(server: MetricsServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_everything_that_was_counted_is_shown(crop: Callable[..., FaceCrop]) -> None:
    clock = ManualClock(NOON_NS)
    metrics = WorkerMetrics("match", clock)
    item = Received(Partition(Topic.FACES, 0), 0, encode(crop()), NOON_NS - 2_500_000_000)
    metrics.on_batch([item, item])
    metrics.on_refused(item, MalformedMessage("no"))
    metrics.on_dropped("too_late", 3)
    metrics.on_restart()
    metrics.show_epoch(lambda: 7)
    metrics.show_cameras(lambda: 4)
    metrics.write([replace(SIGHTING, last_seen_at="2023-11-14T22:13:19.500Z")])
    with MetricsServer(metrics, "127.0.0.1", 0) as server:
        status, text = get(server, "/metrics")
        assert status == 200
        assert get(server, "/elsewhere")[0] == 404
    for line in (
        'pinwatch_messages_total{step="match"} 2.0',
        'pinwatch_batch_size_bucket{le="2.0",step="match"} 1.0',
        'pinwatch_lag_seconds{step="match"} 2.5',
        'pinwatch_dead_letters_total{error="MalformedMessage",step="match"} 1.0',
        'pinwatch_dropped_total{cause="too_late",step="match"} 3.0',
        'pinwatch_reconnects_total{step="match"} 1.0',
        'pinwatch_gallery_epoch{step="match"} 7.0',
        'pinwatch_cameras{step="match"} 4.0',
        'pinwatch_decision_age_seconds_bucket{le="0.5",step="match"} 1.0',
    ):
        assert line in text.splitlines()


def test_a_worker_whose_loop_stands_still_is_not_well() -> None:
    clock = ManualClock(NOON_NS)
    metrics = WorkerMetrics("embed", clock)
    with MetricsServer(metrics, "127.0.0.1", 0) as server:
        assert get(server, "/healthz") == (200, json.dumps({"well": True}))
        clock.advance(31)
        assert get(server, "/healthz") == (503, json.dumps({"well": False}))
        metrics.on_polled()
        assert get(server, "/healthz")[0] == 200
        with pytest.raises(UsageError, match=r"worker\.health_port"):
            MetricsServer(metrics, "127.0.0.1", server.port)
