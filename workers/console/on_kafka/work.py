"""What a console on Kafka does beside its pages: follows decisions, raises alerts, fetches pictures."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from pipeline.sources.worker import Worker
from workers.build import Context
from workers.bus.base import Topic
from workers.bus.kafka.beginning import begin_with_the_newest
from workers.bus.kafka.bus import KafkaBus
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.topics import TopicAdmin
from workers.console.app import Console
from workers.console.health.kafka_lag import KafkaLags
from workers.console.on_kafka.alerting import Alerting, AlertStep
from workers.console.on_kafka.troubles import Troubles
from workers.follow_kafka import sightings_follower
from workers.live.hub import LiveHub
from workers.live.preview_options import client_tls, secret_of
from workers.live.reader_link import LinkOptions
from workers.live.remote import RemotePictures, Site
from workers.live.sightings import LiveSightings
from workers.metrics import MetricsServer, WorkerMetrics
from workers.preview_places import PreviewPlaces
from workers.steps import SightingSink

_LIVE = "live"
_ENDING_S = 3.0
_PATIENCE_S = 0.5
"""For a broker, each time: whoever ends the console must not have to wait for one."""


class KafkaWork:
    """A :class:`workers.console.beside.Beside`, whether or not broker and readers are there yet.

    Args:
        context: Settings and database.
        hub: Told of what is seen.
        shown: Told of every decision, in every console.
        alerts: Told of every decision, which goes to one console only.

    Raises:
        ConfigError: a setting does not fit.
    """

    def __init__(
        self,
        context: Context,
        hub: LiveHub,
        shown: Sequence[SightingSink] = (),
        alerts: Sequence[SightingSink] = (),
    ) -> None:
        self._context, self._hub, self._alerts = context, hub, tuple(alerts)
        self._shown = [*shown, LiveSightings(hub, context.clock)]
        self._lane = Lane(context.settings.kafka.prefix)
        self._kafka = context.settings.kafka.model_copy(update={"start_s": _PATIENCE_S})
        self._stop = threading.Event()
        self._troubles = Troubles(hub.trouble)
        self.metrics = WorkerMetrics("console", context.clock)
        self.pictures = RemotePictures(hub, self._site, self._link_options(), context.clock)
        self._running = ExitStack()

    def start(self) -> None:
        """Begin; once.

        Raises:
            UsageError: the port of the metrics is taken.
        """
        with ExitStack() as starting:
            wanted = self._context.settings.worker
            if wanted.health_port:
                starting.enter_context(MetricsServer(self.metrics, wanted.health_host, wanted.health_port))
            starting.enter_context(self.pictures)
            for job in [self._follow, *([self._raise_alerts] if self._alerts else [])]:
                worker = Worker(job, self._stop.set, f"kafka{job.__name__}")
                starting.callback(worker.close, _ENDING_S)
                worker.start()
            starting.callback(self._stop.set)  # first, so that all end at once
            self._running = starting.pop_all()

    def close(self) -> None:
        """Return when everything has ended; safe twice, and before :meth:`start`."""
        self._running.close()

    def _follow(self) -> None:
        def on_problem(problem: str) -> None:
            self.metrics.on_polled()  # the loop goes round: starting the process again would mend nothing
            self._troubles.say(_LIVE, problem)

        sinks: list[SightingSink] = [self.metrics, *self._shown]
        observer = None if self._alerts else self.metrics
        sightings_follower(self._kafka, self._lane, sinks, on_problem, observer).run(self._stop)

    def _raise_alerts(self) -> None:
        bus = KafkaBus(self._kafka, self._lane)
        Alerting(bus, self._alerts, self._make_ready, self._troubles, self.metrics).run(self._stop)

    def _make_ready(self) -> None:
        self.metrics.on_polled()
        with TopicAdmin(self._kafka) as admin:
            admin.require(self._lane)
        # What was decided before anybody could be alerted must not raise alerts now.
        begin_with_the_newest(self._kafka, self._lane, AlertStep.name, Topic.SIGHTINGS)

    def _site(self) -> Site:
        cameras = [camera.name for camera in self._context.cameras().list() if camera.enabled]
        return Site(cameras, PreviewPlaces(self._context.database()).of_cameras())

    def _link_options(self) -> LinkOptions | None:
        """``None``: without a secret there are no pictures."""
        settings = self._context.settings.worker
        if settings.preview_secret is None:
            return None
        return LinkOptions(secret_of(settings), client_tls(settings.preview_ca_file))


def on_kafka(context: Context, made: Console) -> Console:
    """The console, showing beside its pages what workers on Kafka see.

    Raises:
        ConfigError: a setting does not fit.
    """
    if made.status is not None:
        kafka = context.settings.kafka
        made.status.follow_lags(KafkaLags(kafka, Lane(kafka.prefix), context.clock))
    shown = [] if made.status is None else [made.status]
    alerts = [sink for sink in made.sinks if sink is not made.status]
    return replace(made, beside=(*made.beside, KafkaWork(context, made.hub, shown, alerts)))
