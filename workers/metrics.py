"""What workers tell Prometheus, and whether they are well: one registry a process, served over HTTP."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app

from pipeline.errors import CodecError, UsageError
from pipeline.seams import Clock
from pipeline.types import Sighting
from workers.bus.base import Received

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_AGES_S = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800)
_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_PATIENCE_S = 30.0


class WorkerMetrics:
    """Counts what one worker does: an observer of its loop, and a sink of its decisions.

    Args:
        step: Which worker this is; a label of everything.
        clock: Time.
        live: Whether the age of decisions means anything.
    """

    def __init__(self, step: str, clock: Clock, *, live: bool = True) -> None:
        self._live = live
        self.registry = CollectorRegistry()
        self._clock = clock
        self._polled_at_s = clock.monotonic_s()
        labels = ("step",)

        def made(kind: type[Any], name: str, text: str, more: Sequence[str] = (), **options: Any) -> Any:
            metric = kind(f"pinwatch_{name}", text, (*labels, *more), registry=self.registry, **options)
            return metric if more else metric.labels(step)

        self._step = step
        self._messages = made(Counter, "messages", "Messages read.")
        self._batches = made(Histogram, "batch_size", "Messages a batch.", buckets=_BATCHES)
        self._lag = made(Gauge, "lag_seconds", "Age of the oldest message of the last batch.")
        self._refused = made(Counter, "dead_letters", "Messages refused.", ("error",))
        self._dropped = made(Counter, "dropped", "Crops dropped.", ("cause",))
        self._restarts = made(Counter, "reconnects", "Times that the worker began again after a failure.")
        self._decisions = made(Counter, "decisions", "Decisions kept.", ("outcome", "revision"))
        self._age = made(
            Histogram, "decision_age_seconds", "From the last picture to the decision.", buckets=_AGES_S
        )
        self._epoch = made(Gauge, "gallery_epoch", "Gallery that is matched against.")
        self._cameras = made(Gauge, "cameras", "Cameras that this reader holds.")

    # As an observer of the loop

    def on_batch(self, received: Sequence[Received]) -> None:
        self._messages.inc(len(received))
        self._batches.observe(len(received))
        sent = [item.sent_at_ns for item in received if item.sent_at_ns is not None]
        if sent:
            self._lag.set(max(0.0, (self._clock.now_ns() - min(sent)) / 1e9))

    def on_refused(self, item: Received, error: CodecError) -> None:
        self._refused.labels(self._step, type(error).__name__).inc()

    def on_polled(self) -> None:
        self._polled_at_s = self._clock.monotonic_s()

    # As a sink of decisions

    def write(self, sightings: Sequence[Sighting]) -> None:
        for sighting in sightings:
            self._decisions.labels(self._step, str(sighting.outcome), str(sighting.revision)).inc()
            if self._live and sighting.last_seen_at is not None:
                seen_s = dt.datetime.fromisoformat(sighting.last_seen_at).timestamp()
                self._age.observe(max(0.0, self._clock.now_ns() / 1e9 - seen_s))

    # The rest

    def on_dropped(self, cause: str, crops: int) -> None:
        self._dropped.labels(self._step, cause).inc(crops)

    def on_restart(self) -> None:
        self._restarts.inc()

    def show_epoch(self, epoch: Callable[[], int]) -> None:
        """Where to ask for the gallery's epoch whenever somebody looks."""
        self._epoch.set_function(epoch)

    def show_cameras(self, count: Callable[[], int]) -> None:
        """The same for the number of cameras."""
        self._cameras.set_function(count)

    @property
    def well(self) -> bool:
        """Whether the loop went round lately."""
        return self._clock.monotonic_s() - self._polled_at_s < _PATIENCE_S


class MetricsServer:
    """``/metrics`` for Prometheus and ``/healthz`` for whoever restarts what is not well.

    Args:
        metrics: What to show.
        host: Where to listen.
        port: 0 for any free one.

    Raises:
        UsageError: the port is taken or not allowed.
    """

    def __init__(self, metrics: WorkerMetrics, host: str, port: int) -> None:
        try:
            self._server = make_server(host, port, _app(metrics), server_class=_Server, handler_class=_Silent)
        except OSError as error:
            raise UsageError(
                f"metrics cannot be served on {host}:{port} ({error.strerror}): set worker.health_port"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_port)

    def __enter__(self) -> MetricsServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(WSGIServer):
    def server_bind(self) -> None:
        """Without asking the name service for our own name, which can take long."""
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = str(self.server_address[0]), self.socket.getsockname()[1]
        self.server_address = self.socket.getsockname()
        self.setup_environ()


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        return None


def _app(metrics: WorkerMetrics) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    prometheus = make_wsgi_app(metrics.registry)

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        match environ.get("PATH_INFO"):
            case "/metrics":
                found: Iterable[bytes] = prometheus(environ, start)
                return found
            case "/healthz":
                status = "200 OK" if metrics.well else "503 Service Unavailable"
                start(status, [("Content-Type", "application/json")])
                return [json.dumps({"well": metrics.well}).encode()]
            case _:
                start("404 Not Found", [("Content-Type", "text/plain")])
                return [b"/metrics or /healthz\n"]

    return app
