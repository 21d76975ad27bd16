"""``/metrics`` for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.responses import Response

from workers.console.access.roles import Permission
from workers.console.web.guard import guarded_router, needs


class MetricsRoute:
    """What the parts of the console measure, in the format that Prometheus asks for.

    Args:
        registry: Every part puts its collectors in.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    @needs(Permission.READ_HEALTH)
    def metrics(self, request: Request) -> Response:
        """All of them; Prometheus comes with a token of a user who may look at health."""
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self._registry), headers={"content-type": kind})

    def router(self) -> APIRouter:
        """Its only route."""
        router = guarded_router(tags=["health"])
        router.get("/metrics", response_class=Response)(self.metrics)
        return router
